"""Takes up routing maps: parse what changed, swap the snapshot, acknowledge. The thin actor beside `loading`."""

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable

from linplane_api.routing import RoutingMap

from ..state.serving import Serving
from ..state.snapshot import Snapshot
from .compile import Loaded, advance, changed, load_route, snapshot_of

Acknowledge = Callable[[Snapshot], Awaitable[None]]
Keep = Callable[[RoutingMap], Awaitable[None]]

_log = logging.getLogger(__name__)


class RoutingUpdater:
    """Holds what is loaded. `clock` is Unix time, in seconds; `acknowledge` is called after each swap, never before.

    `keep`, where it is given, is handed what is served now (a rejected route by its last good text) before that is
    acknowledged; where it raises OSError nothing is, for a restart could answer by what was before.
    """

    def __init__(
        self, serving: Serving, acknowledge: Acknowledge, clock: Callable[[], float], keep: Keep | None = None
    ) -> None:
        """Nothing is loaded yet."""
        self._serving = serving
        self._acknowledge = acknowledge
        self._clock = clock
        self._keep = keep
        self._loaded = Loaded()

    async def recall(self, routing: RoutingMap) -> None:
        """Loads what this server served before it was restarted, as what was last good. Nothing is answered by it
        yet. Only a server that had joined keeps anything.
        """
        self._serving.store.joined = True
        await self._load(routing)

    async def resume(self, routing: RoutingMap) -> None:
        """Answers by what was recalled. That is no news to anybody, so it is neither kept nor acknowledged."""
        self._swap(routing, await self._load(routing))

    async def apply(self, routing: RoutingMap) -> None:
        """Makes `routing` what requests are answered by. Between two routes it lets requests through."""
        snapshot = self._swap(routing, await self._load(routing))
        if self._keep is not None and self._serving.store.joined:
            try:
                await self._keep(RoutingMap(routing.uid, routing.sequence, dict(self._loaded.good)))
            except OSError as error:
                _log.error("old copy not removed, so nothing is acknowledged", extra={"reason": error.strerror})
                return
        await self._acknowledge(snapshot)

    async def _load(self, routing: RoutingMap) -> int:
        """How many routes had to be parsed."""
        parsed = {}
        for name in changed(self._loaded, routing):
            parsed[name] = load_route(name, routing.routes[name], self._serving.counters)
            await asyncio.sleep(0)
        self._loaded = advance(self._loaded, routing, parsed)
        return len(parsed)

    def _swap(self, routing: RoutingMap, parsed: int) -> Snapshot:
        serving, now = self._serving, self._clock()
        first = serving.store.loaded_at is None
        snapshot = snapshot_of(self._loaded, routing)
        serving.switch_log.record(serving.store.snapshot, snapshot, now)
        serving.store.swap(snapshot, now)
        serving.counters.retain({name: route.names for name, route in snapshot.routes.items()})
        serving.limiter.retain(route.bucket for route in snapshot.routes.values() if route.bucket)
        if first:
            gc.collect()
            gc.freeze()  # what lives as long as the process is not looked at again
        _log.info(
            "routing taken up",
            extra={
                "sequence": snapshot.sequence,
                "routes": len(snapshot.routes),
                "changed": parsed,
                "rejected": dict(snapshot.rejected),
            },
        )
        return snapshot
