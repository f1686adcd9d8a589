"""The switches of the current version that this replica saw, newest last: what `/status` shows."""

from collections import deque
from datetime import UTC, datetime

import msgspec

from linplane_api.timing import rfc3339

from .snapshot import Snapshot

KEPT = 20


class Switch(msgspec.Struct, frozen=True, rename={"old": "from", "new": "to"}):
    """One change of a route's current version; `at` is RFC 3339, UTC."""

    route: str
    old: str | None
    new: str | None
    at: str


class SwitchLog:
    """The last ones of all routes."""

    def __init__(self, kept: int = KEPT) -> None:
        """`kept` bounds them."""
        self._last: deque[Switch] = deque(maxlen=kept)

    def record(self, before: Snapshot, after: Snapshot, now: float) -> None:
        """Compares two states. A route that comes in or goes is no switch. `now` is Unix time, in seconds."""
        at = rfc3339(datetime.fromtimestamp(now, UTC))
        for name, route in after.routes.items():
            old = before.routes.get(name)
            if old is not None and old.current_name != route.current_name:
                self._last.append(Switch(name, old.current_name, route.current_name, at))

    def last(self) -> list[Switch]:
        """Oldest first."""
        return list(self._last)
