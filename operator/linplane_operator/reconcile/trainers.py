"""What all trainers of a namespace share: a ServiceAccount, and the right to write their results."""

import asyncio
import logging

from linplane_api.kinds import LINEAR_MODEL, SERVICE_ACCOUNT

from ..cluster import NamespaceTerminatingError
from ..compile.access import make_trainer_access
from ..compile.training import SERVICE_ACCOUNT as TRAINER
from .tools import Tools

log = logging.getLogger(__name__)


class Trainers:
    """Lets trainers write what they are to write."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._lock = asyncio.Lock()

    async def patrol(self) -> None:
        """Brings back what trainings need and nobody tells about, and takes away what none needs any more: a crash may
        have come between. Whatever fails in one namespace, the others are looked after all the same.
        """
        for namespace in sorted(self._tools.world.namespaces((LINEAR_MODEL,))):
            models, waited = self._tools.survey.trainings(namespace)
            if waited or (models and self._tools.world.get(SERVICE_ACCOUNT, namespace, TRAINER)):
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
            for body in make_trainer_access(namespace, *self._tools.survey.trainings(namespace)):
                await self._tools.cluster.apply(body)
