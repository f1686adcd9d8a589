"""The state that the parts of one server share."""

from collections.abc import Callable
from dataclasses import dataclass, field

from .blocks import Blocks
from .counters import Counters
from .limiter import Limiter
from .snapshot_store import SnapshotStore
from .switch_log import SwitchLog


@dataclass(frozen=True)
class Serving:
    """One per process. The routing updater swaps the snapshot, predictions read it and count, the admin listener reads
    all.
    """

    limiter: Limiter
    store: SnapshotStore = field(default_factory=SnapshotStore)
    counters: Counters = field(default_factory=Counters)
    switch_log: SwitchLog = field(default_factory=SwitchLog)
    blocks: Blocks = field(default_factory=Blocks)


def new_serving(clock: Callable[[], int]) -> Serving:
    """Returns a state with nothing loaded. `clock` is monotonic, in whole nanoseconds, for the limits."""
    return Serving(Limiter(clock))
