"""What all trainers of a namespace share: a ServiceAccount, and the right to write their results."""

import asyncio
import logging

from linplane_api.kinds import LINEAR_MODEL, SERVICE_ACCOUNT

from ..cluster_client import NamespaceTerminatingError
from ..compile.rbac import make_trainer_access
from ..compile.training import SERVICE_ACCOUNT as TRAINER
from .context import Context

log = logging.getLogger(__name__)


class TrainerRbac:
    """Lets trainers write what they are to write."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = asyncio.Lock()

    async def patrol(self) -> None:
        """Brings back what trainings need and nobody tells about, and takes away what none needs any more: a crash may
        have come between. Whatever fails in one namespace, the others are looked after all the same.
        """
        for namespace in sorted(self._context.cache.namespaces((LINEAR_MODEL,))):
            models, waited = self._context.queries.trainings(namespace)
            if waited or (models and self._context.cache.get(SERVICE_ACCOUNT, namespace, TRAINER)):
                try:
                    await self.let(namespace)
                except NamespaceTerminatingError:
                    continue
                except Exception as error:  # a name that is taken, a quota
                    log.warning("the rights of trainers in %s: %s: %s", namespace, type(error).__name__, error)

    async def let(self, namespace: str) -> None:
        """Gives trainers the right to the results that are waited for, and to no other; one after the other, so that
        none takes away what another was just given.
        """
        async with self._lock:
            for body in make_trainer_access(namespace, *self._context.queries.trainings(namespace)):
                await self._context.cluster.apply(body)
