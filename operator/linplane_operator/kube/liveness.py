"""Is the operator alive? Pure, by signs of life of its parts.

An API server that is away is no reason to restart: nothing would be cured. So calls that fail count as life, and a
watch is judged only where lists came through and it did not tell of what they show.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .watch_lag import Lag


@dataclass(frozen=True)
class Activity:
    """In seconds: how long keys wait without one being taken, the longest that one is worked on, since when the
    resync has not even tried a call; and by kind, which watches owe something.
    """

    queue_stalled: float = 0.0
    longest_running: float = 0.0
    resync_idle: float = 0.0
    lagging: Mapping[str, Lag] = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """In seconds. Each call of the API server ends after 15: a reconcile, of a dozen calls, is at an end long before
    `queue`, and a resync, that tries each minute, makes itself heard before `resync`. A watch that is silent is made
    anew after 20, and one that fails tries again after 5.
    """

    queue: float = 600.0
    resync: float = 300.0
    watch: float = 150.0
    lists: int = 2


def unhealthy(signs: Activity, limits: Limits) -> list[str]:
    """What shows no life, a line each; empty where all is well."""
    found = []
    if signs.queue_stalled > limits.queue:
        found.append(f"queue: keys wait, and none was taken for {signs.queue_stalled:.0f} s")
    if signs.longest_running > limits.queue:
        found.append(f"queue: a worker is at the same key for {signs.longest_running:.0f} s")
    if signs.resync_idle > limits.resync:
        found.append(f"resync: not even tried for {signs.resync_idle:.0f} s")
    for kind, behind in sorted(signs.lagging.items()):
        if behind.seconds > limits.watch and behind.lists >= limits.lists:
            found.append(f"watch of {kind}: has not told of what {behind.lists} lists show, for {behind.seconds:.0f} s")
    return found
