"""The objects that all trainers of a namespace share: a ServiceAccount, and the right to write their results."""

import asyncio
import logging

from linplane_api.kinds import LINEAR_MODEL

from ..cluster_client import NamespaceTerminatingError
from ..compile.trainer_plan import TrainerPlan, plan_trainers
from .context import Context

log = logging.getLogger(__name__)


class TrainerRbac:
    """Lets trainers patch exactly the results of pending trainings."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = asyncio.Lock()

    async def repair(self) -> None:
        """Repairs the rights in every namespace: they are not watched, and a crash may have come between. A failure in
        one namespace does not keep the others from being repaired.
        """
        for namespace in sorted(self._context.cache.namespaces((LINEAR_MODEL,))):
            try:
                await self._reconcile(namespace, only_if_needed=True)
            except NamespaceTerminatingError:
                continue
            except Exception as error:  # a name that is taken, a quota
                log.warning("the rights of trainers in %s: %s: %s", namespace, type(error).__name__, error)

    async def grant(self, namespace: str) -> None:
        """Grants the namespace's trainers what they need now, before a training starts, and revokes the rest."""
        await self._reconcile(namespace)

    async def _reconcile(self, namespace: str, *, only_if_needed: bool = False) -> None:
        """Observes, plans and applies. Serialised, so that concurrent calls do not revoke each other's rights."""
        async with self._lock:
            plan = plan_trainers(self._context.queries.trainer_inputs(namespace))
            if plan.is_needed or not only_if_needed:
                await self._apply(plan)

    async def _apply(self, plan: TrainerPlan) -> None:
        for body in plan.children:
            await self._context.client.apply(body)
