"""Whether this process is to get requests. Liveness is not here: it never depends on anything."""

from .snapshot_store import SnapshotStore


class Readiness:
    """Readiness: a configuration was read, with every format in it, and the process is not draining. An empty
    configuration counts: such a server answers 404, and is ready for its first route.

    A server of an earlier release that joins while documents of a later format are in force stays unready, so its
    rollout stops at the first pod. One that was ready stays ready: its other routes must not lose it.
    """

    def __init__(self, store: SnapshotStore) -> None:
        """Not draining."""
        self._store = store
        self.draining = False

    async def loaded(self) -> None:
        """Returns once a configuration was read."""
        await self._store.loaded.wait()

    def unready(self) -> str | None:
        """Why not; None if ready."""
        if self.draining:
            return "draining"
        if self._store.loaded_at is None:
            return "no configuration was read yet"
        if not self._store.joined:
            first = min(self._store.snapshot.unread)
            return f"route {first}: {self._store.snapshot.rejected[first]}"
        return None
