"""What the parts of one server share: what is loaded, what was counted, who is limited, and the switches seen."""

from collections.abc import Callable
from dataclasses import dataclass, field

from .counters import Counters
from .limiter import Limiter
from .snapshot import Registry
from .switch_log import Switches


@dataclass(frozen=True)
class Serving:
    """One a process. The intake changes it, predictions read and count, the admin listener shows it."""

    limiter: Limiter
    registry: Registry = field(default_factory=Registry)
    counters: Counters = field(default_factory=Counters)
    switches: Switches = field(default_factory=Switches)


def new_serving(clock: Callable[[], int]) -> Serving:
    """Nothing is loaded. `clock` is monotonic, in whole nanoseconds; it is for the limits."""
    return Serving(Limiter(clock))
