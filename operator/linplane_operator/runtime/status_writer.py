"""Writes a status if it differs, and records Events for changed conditions."""

from collections.abc import Callable
from datetime import datetime

from linplane_api.kinds import MODEL_ROUTE, MODEL_SERVER, Kind

from ..cluster_client import ClusterClient
from ..compile.change_events import WARNINGS, news
from ..compile.conditions import changed, deleting, is_on_its_way, warns, without_counts
from ..compile.objects import Object, status_of
from ..compile.outcome import DONE, Result
from ..compile.settings import COUNT_SECONDS
from ..compile.unknown_fields import with_unknown
from ..observe.cache import key_of

AT_ONCE = Result(0.0)

HELD_SECONDS = {MODEL_ROUTE: 1.0, MODEL_SERVER: 0.5}
"""Maximum delay before a transient Converged=False is written. Until then observedGeneration shows that a route's
status is outdated; a server's only shows it by its sequence, which `kubectl wait` does not compare, so its delay is
shorter.
"""
VERSION_FIELDS = {MODEL_ROUTE: "observedGeneration", MODEL_SERVER: "sequence"}


class StatusWriter:
    """The statuses of the three kinds that have one."""

    def __init__(self, cluster: ClusterClient, now: Callable[[], datetime]) -> None:
        """`now` returns the current time."""
        self._cluster = cluster
        self._now = now
        self._written: dict[tuple[str, str, str], datetime] = {}  # time of the last write
        self._held: dict[tuple[str, str, str], tuple[datetime, Object]] = {}  # since when, and the latest one

    async def write(self, kind: Kind, body: Object, status: Object) -> Result:
        """Writes a status that differs, with an Event per changed condition; or returns when to try again, if it can
        wait.
        """
        before, now, key = status_of(body), self._now(), (kind.kind, *key_of(body))
        if status != before:
            status = with_unknown(kind, status, before)
        if key in self._held and _is_intermediate(before, self._held[key][1], status):
            await self._put(kind, body, self._held[key][1])
            return AT_ONCE
        if status == before:
            self._held.pop(key, None)
            return DONE
        if (wait := self._hold(kind, key, before, status)) is not None:
            return Result(wait)
        if key in self._written and without_counts(status) == without_counts(before):
            wait = COUNT_SECONDS - (now - self._written[key]).total_seconds()
            if 0 < wait <= COUNT_SECONDS:
                return Result(wait)
        await self._put(kind, body, status)
        return DONE

    async def write_deleting(self, kind: Kind, body: Object | None, now: str) -> Result:
        """Writes that the deletion of an object has started, if finalizers still keep it."""
        return DONE if body is None else await self.write(kind, body, deleting(kind, body, now))

    def _hold(self, kind: Kind, key: tuple[str, str, str], before: Object, status: Object) -> float | None:
        """Seconds for which the status is still delayed; None if it is written now."""
        if kind not in HELD_SECONDS or not is_on_its_way(before, status, VERSION_FIELDS[kind]):
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
        """Call it when an object was deleted."""
        self._written.pop((kind.kind, namespace, name), None)
        self._held.pop((kind.kind, namespace, name), None)


def _is_intermediate(before: Object, held: Object, status: Object) -> bool:
    """True if the delayed status has a version or split that neither the last nor the next one has: without it,
    `switches` would lack an entry and `undo` would go back too far.
    """
    was, meanwhile, now = ((one.get("version"), one.get("split")) for one in (before, held, status))
    return meanwhile not in (was, now)
