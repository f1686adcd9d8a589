"""How often something may be tried: a token bucket, and growing pauses after failures. No clock of their own."""

import random
from collections.abc import Callable

_ROUNDING = 1e-6
"""Seconds: what sums of decimals may be off by."""


class Pace:
    """A token bucket: `burst` at once, then `rate` a second. `clock` gives seconds that never go back."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float]) -> None:
        """Full."""
        self._interval = 1 / rate
        self._room = (burst - 1) / rate
        self._clock = clock
        self._full_at = clock()

    def take(self) -> float:
        """0 takes a token; else in how many seconds there will be one, and nothing is taken."""
        now = self._clock()
        wait = self._full_at - now - self._room
        if wait > _ROUNDING:
            return wait
        self._full_at = max(self._full_at, now) + self._interval
        return 0.0

    def give_back(self) -> None:
        """Undoes one `take`."""
        self._full_at -= self._interval


class Backoff:
    """Pauses that double from `first` to `last` seconds, each by chance up to half longer or shorter: replicas that
    lost the same API server do not come back in step.
    """

    def __init__(self, first: float, last: float, chance: Callable[[], float] = random.random) -> None:
        """`chance` gives numbers in [0, 1)."""
        self._first = first
        self._last = last
        self._chance = chance
        self._next = first

    def pause(self, at_least: float = 0.0) -> float:
        """The next pause, in seconds."""
        pause = self._next * (0.5 + self._chance())
        self._next = min(self._last, self._next * 2)
        return max(pause, at_least)

    def reset(self) -> None:
        """What was tried works again."""
        self._next = self._first
