"""The snapshot in force, and whether this server may be ready with it."""

import asyncio

from .snapshot import EMPTY, Snapshot


class SnapshotStore:
    """Holds the snapshot that requests are answered by. Reading `snapshot` once gives one consistent state."""

    def __init__(self) -> None:
        """Nothing is loaded yet."""
        self.snapshot = EMPTY
        self.loaded = asyncio.Event()
        self.loaded_at: float | None = None
        """Unix time, in seconds, of the last take-up; None before the first."""
        self.swaps = 0
        self.joined = False
        """A snapshot without unread routes was taken up, by this process or by the one before it."""

    def features(self, route: str, version: str) -> tuple[str, ...]:
        """What a version of a route needs; empty if the route is not loaded, or does not name it."""
        loaded = self.snapshot.routes.get(route)
        return loaded.named.get(version, ()) if loaded else ()

    def swap(self, snapshot: Snapshot, now: float) -> None:
        """One assignment: requests that began before are answered by the old state, those after by the new."""
        self.snapshot = snapshot
        self.loaded_at = now
        self.swaps += 1
        self.joined = self.joined or not snapshot.unread
        self.loaded.set()
