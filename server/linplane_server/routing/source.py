"""The interface of sources of routing maps. A source runs until it is cancelled and calls `apply` with every new state.

`apply` returns once the state is in force and its acknowledgement is written, or queued; a source waits for it before
the next call.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

from linplane_api.routing import RoutingMap

Apply = Callable[[RoutingMap], Awaitable[None]]


class ConfigSource(Protocol):
    """Delivers routing maps."""

    @property
    def name(self) -> str:
        """The value of the metric `linplane_routing_source_info`: one of a fixed set."""

    @property
    def heard_at(self) -> float | None:
        """Unix time, in seconds, of the last message of a watch; None before the first, and for a source that polls."""

    async def run(self, apply: Apply) -> None:
        """Runs until cancelled. A state that cannot be read as a whole is not applied: the last good one stays in
        force.
        """
