"""Where routing maps come from: the interface. A source runs until it is cancelled and hands every new state to
`apply`.

`apply` returns when requests are answered by that state and the acknowledgement is written; a source hands over one
state at a time.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

from linplane_api.routing import RoutingMap

Apply = Callable[[RoutingMap], Awaitable[None]]


class ConfigSource(Protocol):
    """A source of routing maps."""

    @property
    def name(self) -> str:
        """What the metric `linplane_routing_source_info` says: one of a fixed set."""

    @property
    def heard_at(self) -> float | None:
        """Unix time, in seconds, of the last word from there; None before the first, and where nobody would speak."""

    async def run(self, apply: Apply) -> None:
        """Watches until cancelled. A state that cannot be read as a whole is not handed over: what was good stays."""
