"""What the parts of one server share: what is loaded, what was counted, who is limited, and the switches seen."""

from collections.abc import Callable
from dataclasses import dataclass, field

from .counters import Counters
from .limiter import Limiter
from .snapshot_store import SnapshotStore
from .switch_log import SwitchLog


@dataclass(frozen=True)
class Serving:
    """One a process. The updater changes it, predictions read and count, the admin listener shows it."""

    limiter: Limiter
    store: SnapshotStore = field(default_factory=SnapshotStore)
    counters: Counters = field(default_factory=Counters)
    switch_log: SwitchLog = field(default_factory=SwitchLog)


def new_serving(clock: Callable[[], int]) -> Serving:
    """Nothing is loaded. `clock` is monotonic, in whole nanoseconds; it is for the limits."""
    return Serving(Limiter(clock))
