"""The most recent switches of current versions that this replica observed, for `/status`."""

from collections import deque
from datetime import UTC, datetime

import msgspec

from linplane_api.timing import rfc3339

from .snapshot import Snapshot

KEPT = 20


class Switch(msgspec.Struct, frozen=True, rename={"old": "from", "new": "to"}):
    """A change of a route's current version; `at` is RFC 3339, UTC."""

    route: str
    old: str | None
    new: str | None
    at: str


class SwitchLog:
    """A bounded log over all routes."""

    def __init__(self, kept: int = KEPT) -> None:
        """`kept` is the number of switches that are kept."""
        self._last: deque[Switch] = deque(maxlen=kept)

    def record(self, before: Snapshot, after: Snapshot, now: float) -> None:
        """Records the switches between two snapshots. A route that appears or disappears is not a switch. `now` is Unix
        time, in seconds.
        """
        at = rfc3339(datetime.fromtimestamp(now, UTC))
        for name, route in after.routes.items():
            old = before.routes.get(name)
            if old is not None and old.current_name != route.current_name:
                self._last.append(Switch(name, old.current_name, route.current_name, at))

    def last(self) -> list[Switch]:
        """Returns the switches, oldest first."""
        return list(self._last)
