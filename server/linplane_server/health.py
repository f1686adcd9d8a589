"""Whether this process is to get requests. Liveness is not here: it never depends on anything."""

from .registry import Registry


class Health:
    """Ready: a configuration was read, and the process is not on its way out. One without any route is one too: such a
    server answers 404, and is ready for its first route.
    """

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
        return None
