"""The context that the reconcilers share, and the end of each reconcile."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from linplane_api.conditions import Cause, Reason
from linplane_api.kinds import Kind
from linplane_api.timing import rfc3339

from ..cluster_client import ClusterClient, NameTakenError, RefusedError
from ..compile.objects import Object
from ..compile.outcome import Outcome, Result, earliest
from ..compile.settings import Settings
from ..observe.cache import ObjectCache
from ..observe.live_reads import LiveReader
from ..observe.queries import Queries
from ..observe.routings import Routings
from ..runtime.status_writer import StatusWriter


@dataclass(frozen=True)
class Context:
    """One of each, for all of them. `now` is the clock, in UTC."""

    cache: ObjectCache
    client: ClusterClient
    settings: Settings
    now: Callable[[], datetime]
    routings: Routings
    queries: Queries
    live: LiveReader
    statuses: StatusWriter

    def stamp(self) -> str:
        """The time now, as a status has it."""
        return rfc3339(self.now())

    async def write(self, kind: Kind, body: Object, outcome: Outcome) -> Result:
        """Writes the status with which a reconcile ends."""
        written = await self.statuses.write(kind, body, outcome.status)
        return earliest(written, outcome.result)

    async def end(self, kind: Kind, namespace: str, name: str, body: Object | None) -> Result:
        """Ends the reconcile of an object that is gone (None), or that waits for finalizers; its status says so."""
        self.statuses.forget(kind, namespace, name)
        return await self.statuses.write_deleting(kind, body, self.stamp())


def cause_of(error: NameTakenError | RefusedError) -> Cause:
    """Why a child could not be applied."""
    return Cause(Reason.NAME_TAKEN if isinstance(error, NameTakenError) else Reason.CHILD_REFUSED, str(error))
