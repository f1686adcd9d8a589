"""Liveness, from the activity of the operator's parts; pure.

A restart does not help if the API server is away. So failed calls count as activity, and a watch counts as stuck only
if LISTs succeeded and it did not deliver what they show.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .watch_lag import Lag


@dataclass(frozen=True)
class Activity:
    """In seconds: how long keys have waited without one being taken, how long the slowest key has been worked on, and
    the time since the last call of the resync; by kind, the lag of watches that have one.
    """

    queue_stalled: float = 0.0
    longest_running: float = 0.0
    resync_idle: float = 0.0
    lagging: Mapping[str, Lag] = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """In seconds. A call of the API server ends after 15: a reconcile, of about a dozen calls, ends long before
    `queue`, and a resync, which runs each minute, calls before `resync`. A silent watch is restarted after 20, a failed
    one after 5.
    """

    queue: float = 600.0
    resync: float = 300.0
    watch: float = 150.0
    lists: int = 2


def unhealthy(activity: Activity, limits: Limits) -> list[str]:
    """The parts that are stuck, one line each; empty if there is none."""
    found = []
    if activity.queue_stalled > limits.queue:
        found.append(f"queue: keys are waiting, and none was taken for {activity.queue_stalled:.0f} s")
    if activity.longest_running > limits.queue:
        found.append(f"queue: a worker has been busy with one key for {activity.longest_running:.0f} s")
    if activity.resync_idle > limits.resync:
        found.append(f"resync: no call for {activity.resync_idle:.0f} s")
    for kind, lag in sorted(activity.lagging.items()):
        if lag.seconds > limits.watch and lag.lists >= limits.lists:
            found.append(f"watch of {kind}: has not delivered what {lag.lists} lists show, for {lag.seconds:.0f} s")
    return found
