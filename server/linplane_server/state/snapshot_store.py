"""Holds the snapshot in force."""

import asyncio

from .snapshot import EMPTY, Snapshot


class SnapshotStore:
    """The snapshot that requests are answered by. A request reads `snapshot` once, so it sees one consistent state."""

    def __init__(self) -> None:
        """Starts with an empty snapshot, `loaded_at` None."""
        self.snapshot = EMPTY
        self.loaded = asyncio.Event()
        self.loaded_at: float | None = None
        """Unix time, in seconds, of the last swap; None before the first."""
        self.swaps = 0
        self.joined = False
        """True once a snapshot without unread routes was in force, in this process or an earlier one of the same pod.
        """

    def features(self, route: str, version: str) -> tuple[str, ...]:
        """Returns the features of a version; empty if the route is not loaded, or does not name the version."""
        loaded = self.snapshot.routes.get(route)
        return loaded.features_by_version.get(version, ()) if loaded else ()

    def swap(self, snapshot: Snapshot, now: float) -> None:
        """Puts a snapshot in force: requests that started earlier are answered by the old one. `now` is Unix time."""
        self.snapshot = snapshot
        self.loaded_at = now
        self.swaps += 1
        self.joined = self.joined or not snapshot.unread
        self.loaded.set()
