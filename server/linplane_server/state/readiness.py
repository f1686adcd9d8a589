"""Readiness of this process. Liveness needs no state: it depends on nothing but the process."""

from .snapshot_store import SnapshotStore


class Readiness:
    """Ready means: a configuration is loaded, all its formats are supported, and the process is not draining. An empty
    configuration counts: such a server answers 404, and is ready for its first route.

    A server of an earlier release that starts while documents of a later format are in force stays unready, so its
    rollout stops at the first pod. One that was ready before stays ready, as its other routes still need it.
    """

    def __init__(self, store: SnapshotStore) -> None:
        """The process is not draining yet."""
        self._store = store
        self.draining = False

    async def loaded(self) -> None:
        """Returns once a configuration is loaded."""
        await self._store.loaded.wait()

    def unready(self) -> str | None:
        """Returns the reason that this process is not ready; None if it is."""
        if self.draining:
            return "draining"
        if self._store.loaded_at is None:
            return "no configuration is loaded yet"
        if not self._store.joined:
            first = min(self._store.snapshot.unread)
            return f"route {first}: {self._store.snapshot.rejected[first]}"
        return None
