"""Applies routing maps: parses changed documents, swaps the snapshot, acknowledges. The decisions are in `compile`."""

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable

from linplane_api.routing import RoutingMap

from ..state.serving import Serving
from ..state.snapshot import Snapshot
from .compile import Loaded, advance, changed_routes, load_route, snapshot_of

Acknowledge = Callable[[Snapshot], Awaitable[None]]
Save = Callable[[RoutingMap], Awaitable[None]]

_log = logging.getLogger(__name__)


class RoutingUpdater:
    """Owns the loaded state. `clock` is Unix time, in seconds; `acknowledge` is called after each swap, never before.

    `save`, unless it is None, stores the routing in force, with the last good text of each rejected route, before it is
    acknowledged. If it raises OSError nothing is acknowledged, since a restart could serve the older copy.
    """

    def __init__(
        self, serving: Serving, acknowledge: Acknowledge, clock: Callable[[], float], save: Save | None = None
    ) -> None:
        """Nothing is loaded yet."""
        self._serving = serving
        self._acknowledge = acknowledge
        self._clock = clock
        self._save = save
        self._loaded = Loaded()

    async def restore(self, routing: RoutingMap) -> None:
        """Loads the local copy of an earlier process as the last good state, without putting it in force. A copy exists
        only if that process had joined, so this one has too.
        """
        self._serving.store.joined = True
        await self._load(routing)

    async def serve_restored(self, routing: RoutingMap) -> None:
        """Puts the restored state in force. It is neither saved nor acknowledged, since it is not new."""
        self._swap(routing, await self._load(routing))

    async def apply(self, routing: RoutingMap) -> None:
        """Puts `routing` in force, saves and acknowledges it. It yields to requests between two routes."""
        snapshot = self._swap(routing, await self._load(routing))
        if self._save is not None and self._serving.store.joined:
            try:
                await self._save(RoutingMap(routing.uid, routing.sequence, dict(self._loaded.good)))
            except OSError as error:
                _log.error("old local copy not removed, nothing is acknowledged", extra={"reason": error.strerror})
                return
        await self._acknowledge(snapshot)

    async def _load(self, routing: RoutingMap) -> int:
        """Parses the changed documents, and returns how many there were."""
        parsed = {}
        for name in changed_routes(self._loaded, routing):
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
            gc.freeze()  # later collections skip the objects that live as long as the process
        _log.info(
            "routing applied",
            extra={
                "sequence": snapshot.sequence,
                "routes": len(snapshot.routes),
                "changed": parsed,
                "rejected": dict(snapshot.rejected),
            },
        )
        return snapshot
