"""Reports the features that requests lacked: `counters` counts them, the report carries the counts, and the operator
shows them in the route's status.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from linplane_api.report import Lacking

ReadMissing = Callable[[], Sequence[Lacking]]


@dataclass(frozen=True)
class Timing:
    """In seconds."""

    poll: float = 1.0
    """Between two reads of the counters."""
    pause: float = 60.0
    """After a write, so that a caller that keeps sending such requests causes one write per minute."""


async def report_missing_features(
    read_missing: ReadMissing, write: Callable[[], Awaitable[None]], timing: Timing | None = None
) -> None:
    """Calls `write` when a count is higher than at the last call. Runs until cancelled."""
    timing = timing or Timing()
    reported: Sequence[Lacking] = ()
    while True:
        now = read_missing()
        if has_grown(reported, now):
            await write()
            reported = now
            await asyncio.sleep(timing.pause)
        else:
            # a route that is deleted and created again counts from zero
            reported = [one for one in reported if one in now]
            await asyncio.sleep(timing.poll)


def has_grown(before: Sequence[Lacking], after: Sequence[Lacking]) -> bool:
    """Returns True if any count is higher than before."""
    known = {(one.route, one.version, one.feature): one.count for one in before}
    return any(one.count > known.get((one.route, one.version, one.feature), 0) for one in after)
