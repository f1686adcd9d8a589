"""Which features requests did not bring: `counters` counts them, the report has them, so the route's status says it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from linplane_api.report import Lacking

Look = Callable[[], Sequence[Lacking]]


@dataclass(frozen=True)
class Timing:
    """In seconds."""

    look: float = 1.0
    """Between two looks at the counters."""
    pause: float = 60.0
    """After a report was written for it: a caller that goes on costs the API server one write a minute."""


async def report_missing_features(
    look: Look, write: Callable[[], Awaitable[None]], timing: Timing | None = None
) -> None:
    """Calls `write` when more requests lacked a feature than it was called for last. Runs until cancelled."""
    timing = timing or Timing()
    reported: Sequence[Lacking] = ()
    while True:
        now = look()
        if has_grown(reported, now):
            await write()
            reported = now
            await asyncio.sleep(timing.pause)
        else:
            reported = [one for one in reported if one in now]  # a route that is made again counts from zero
            await asyncio.sleep(timing.look)


def has_grown(before: Sequence[Lacking], after: Sequence[Lacking]) -> bool:
    """Whether any count is higher than it was."""
    known = {(one.route, one.version, one.feature): one.count for one in before}
    return any(one.count > known.get((one.route, one.version, one.feature), 0) for one in after)
