"""Writes statuses: once, when they differ, and tells people what changed."""

from collections.abc import Callable
from datetime import datetime

from linplane_api.kinds import MODEL_ROUTE, MODEL_SERVER, Kind

from ..cluster_client import ClusterClient
from ..compile.change_events import WARNINGS, news
from ..compile.conditions import changed, deleting, essence, is_on_its_way, warns
from ..compile.objects import Object, status_of
from ..compile.outcome import DONE, Result
from ..compile.settings import COUNT_SECONDS
from ..compile.unknown_fields import with_unknown
from ..observe.cache import key_of

AT_ONCE = Result(0.0)

HELD_SECONDS = {MODEL_ROUTE: 1.0, MODEL_SERVER: 0.5}
"""How long a status is held back that will say so much better in a moment. A route's old one says by its generation
that it is of an earlier spec; a server's says so by its sequence alone, which `kubectl wait` does not look at.
"""
TOLD_BY = {MODEL_ROUTE: "observedGeneration", MODEL_SERVER: "sequence"}


class StatusWriter:
    """The statuses of the three kinds that have one."""

    def __init__(self, cluster: ClusterClient, now: Callable[[], datetime]) -> None:
        """`now` is the clock."""
        self._cluster = cluster
        self._now = now
        self._written: dict[tuple[str, str, str], datetime] = {}  # when each was
        self._held: dict[tuple[str, str, str], tuple[datetime, Object]] = {}  # since when each is, and the last one

    async def write(self, kind: Kind, body: Object, status: Object) -> Result:
        """Writes a status that differs, with an Event for each condition, or says when, if it can wait."""
        before, now, key = status_of(body), self._now(), (kind.kind, *key_of(body))
        if status != before:
            status = with_unknown(kind, status, before)
        if key in self._held and _told_in_between(before, self._held[key][1], status):
            await self._put(kind, body, self._held[key][1])
            return AT_ONCE
        if status == before:
            self._held.pop(key, None)
            return DONE
        if (wait := self._hold(kind, key, before, status)) is not None:
            return Result(wait)
        if key in self._written and essence(status) == essence(before):
            wait = COUNT_SECONDS - (now - self._written[key]).total_seconds()
            if 0 < wait <= COUNT_SECONDS:
                return Result(wait)
        await self._put(kind, body, status)
        return DONE

    async def write_deleting(self, kind: Kind, body: Object | None, now: str) -> Result:
        """Says of an object that is still there, for its finalizers, that its deletion has begun."""
        return DONE if body is None else await self.write(kind, body, deleting(kind, body, now))

    def _hold(self, kind: Kind, key: tuple[str, str, str], before: Object, status: Object) -> float | None:
        """How much longer a status is held back; None where it is not."""
        if kind not in HELD_SECONDS or not is_on_its_way(before, status, TOLD_BY[kind]):
            return None
        now, limit = self._now(), HELD_SECONDS[kind]
        since = self._held[key][0] if key in self._held else now
        wait = limit - (now - since).total_seconds()
        if not 0 < wait <= limit:
            return None
        self._held[key] = since, status
        return wait

    async def _put(self, kind: Kind, body: Object, status: Object) -> None:
        before, key = status_of(body), (kind.kind, *key_of(body))
        await self._cluster.write_status(kind, body, status)
        self._written[key] = self._now()
        self._held.pop(key, None)
        for item in changed(before, status):
            self._cluster.event(
                body,
                warning=warns(item.reason, status),
                reason=item.reason,
                message=f"{item.type}={item.status}: {item.message}",
            )
        for reason, message in news(kind, body, status):
            self._cluster.event(body, warning=reason in WARNINGS, reason=reason, message=message)

    def forget(self, kind: Kind, namespace: str, name: str) -> None:
        """An object is gone."""
        self._written.pop((kind.kind, namespace, name), None)
        self._held.pop((kind.kind, namespace, name), None)


def _told_in_between(before: Object, held: Object, status: Object) -> bool:
    """The held one tells of a change of what was asked for that the next no longer would: `switches` would lose a
    line, and `undo` go back too far.
    """
    was, meanwhile, now = ((one.get("version"), one.get("split")) for one in (before, held, status))
    return meanwhile not in (was, now)
