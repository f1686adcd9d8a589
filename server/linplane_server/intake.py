"""Takes up routing maps: parse what changed, swap the snapshot, acknowledge. The thin actor beside `loading`."""

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable

from linplane_api.document import RoutingMap

from .loading import Loaded, advance, changed, load_route, snapshot_of
from .registry import Snapshot
from .serving import Serving

Acknowledge = Callable[[Snapshot], Awaitable[None]]

_log = logging.getLogger(__name__)


class Intake:
    """Holds what is loaded. `clock` is Unix time, in seconds; `acknowledge` is called after each swap, never before."""

    def __init__(self, serving: Serving, acknowledge: Acknowledge, clock: Callable[[], float]) -> None:
        """Nothing is loaded yet."""
        self._serving = serving
        self._acknowledge = acknowledge
        self._clock = clock
        self._loaded = Loaded()

    async def take(self, routing: RoutingMap) -> None:
        """Makes `routing` what requests are answered by. Between two routes it lets requests through."""
        first = self._serving.registry.loaded_at is None
        parsed = {}
        for name in changed(self._loaded, routing):
            parsed[name] = load_route(name, routing.routes[name], self._serving.counters)
            await asyncio.sleep(0)
        self._loaded = advance(self._loaded, routing, parsed)
        snapshot = snapshot_of(self._loaded, routing)
        self._serving.switches.note(self._serving.registry.snapshot, snapshot, self._clock())
        self._serving.registry.swap(snapshot, self._clock())
        self._serving.counters.retain({name: route.names for name, route in snapshot.routes.items()})
        self._serving.limiter.retain(route.bucket for route in snapshot.routes.values() if route.bucket)
        if first:
            gc.collect()
            gc.freeze()  # what lives as long as the process is not looked at again
        _log.info(
            "routing taken up",
            extra={
                "sequence": snapshot.sequence,
                "routes": len(snapshot.routes),
                "changed": len(parsed),
                "rejected": dict(snapshot.rejected),
            },
        )
        await self._acknowledge(snapshot)
