"""Whether this process is to get requests. Liveness is not here: it never depends on anything."""

from .registry import Registry


class Health:
    """Ready: a configuration was read, at least one route of it answers, and the process is not on its way out."""

    def __init__(self, registry: Registry) -> None:
        """Not draining."""
        self._registry = registry
        self.draining = False

    async def loaded(self) -> None:
        """Returns once a configuration was read."""
        await self._registry.loaded.wait()

    def unready(self) -> str | None:
        """Why not; None where ready."""
        if self.draining:
            return "draining"
        if self._registry.loaded_at is None:
            return "no configuration was read yet"
        if not self._registry.snapshot.routes:
            return "no route is loaded"
        return None
