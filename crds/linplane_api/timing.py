"""Rate limits, backoff, and times in RFC 3339.

Clocks and randomness are parameters. A clock returns seconds and is monotonic.
"""

import random
import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

Clock = Callable[[], float]
Chance = Callable[[], float]
"""Random numbers in [0, 1)."""
Factors = tuple[float, float]
"""The least and the greatest factor."""

EXACT: Factors = (1.0, 1.0)

Key = TypeVar("Key", bound=Hashable)

_ROUNDING = 1e-6
"""In seconds: the rounding error that sums of times may have."""

_has_form = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9:.]+([Zz]|[-+][0-9]{2}:[0-9]{2})").fullmatch


class TokenBucket:
    """A rate limit: `burst` at once, then `rate` a second. It starts full.

    Kept as the time at which the bucket will be full again (the generic cell rate algorithm, ITU-T I.371).
    """

    def __init__(self, rate: float, burst: int, clock: Clock) -> None:
        """`rate` is above 0, `burst` at least 1."""
        self._interval = 1 / rate
        self._room = (burst - 1) / rate
        self._clock = clock
        self._full_at = clock()

    def acquire(self) -> float:
        """Takes a token and returns 0; if there is none, returns the seconds until the next."""
        now = self._clock()
        wait = self._full_at - now - self._room
        if wait > _ROUNDING:
            return wait
        self._full_at = max(self._full_at, now) + self._interval
        return 0.0

    def give_back(self) -> None:
        """Undoes one `acquire`."""
        self._full_at -= self._interval

    @property
    def is_full(self) -> bool:
        """True if the bucket is full, as a new one is."""
        return self._full_at <= self._clock()


class TokenBuckets(Generic[Key]):
    """A token bucket for each key. Once there are many, full ones are forgotten."""

    def __init__(self, rate: float, burst: int, clock: Clock, many: int = 1000) -> None:
        """`rate` and `burst` as in `TokenBucket`; memory is bounded by `many`, or by twice the buckets in use."""
        self._rate, self._burst, self._clock = rate, burst, clock
        self._buckets: dict[Key, TokenBucket] = {}
        self._least_many = self._many = many

    def acquire(self, key: Key) -> float:
        """As `TokenBucket.acquire`, from the bucket of the key."""
        bucket = self._buckets.get(key)
        if bucket is None:
            self._forget_full()
            bucket = self._buckets[key] = TokenBucket(self._rate, self._burst, self._clock)
        return bucket.acquire()

    def _forget_full(self) -> None:
        if len(self._buckets) >= self._many:
            self._buckets = {key: bucket for key, bucket in self._buckets.items() if not bucket.is_full}
            self._many = max(self._least_many, 2 * len(self._buckets))

    def __len__(self) -> int:
        """The number of buckets."""
        return len(self._buckets)


def jittered(seconds: float, factors: Factors, chance: Chance = random.random) -> float:
    """The time multiplied by a random factor, so that processes do not act in step."""
    low, high = factors
    return seconds * (low + (high - low) * chance())


@dataclass(frozen=True)
class Backoff:
    """Delays after failures: `first` seconds, doubled with each further failure up to `last`, then jittered."""

    first: float
    last: float
    jitter: Factors = EXACT
    chance: Chance = random.random

    def delay(self, failures: int) -> float:
        """Seconds to wait after that many failures in succession, at least 1."""
        return jittered(min(self.last, self.first * 2.0 ** min(failures - 1, 60)), self.jitter, self.chance)


def rfc3339(moment: datetime, precision: str = "seconds") -> str:
    """The time in UTC, as Kubernetes writes it. `moment` is aware; `precision` also `milliseconds`, `microseconds`."""
    return moment.astimezone(UTC).isoformat(timespec=precision).removesuffix("+00:00") + "Z"


def parse_rfc3339(text: str) -> datetime:
    """An aware time. Raises ValueError for all that the API server's `date-time` refuses."""
    if not _has_form(text):
        raise ValueError("not a date and time by RFC 3339")
    return datetime.fromisoformat(text.upper())


def is_rfc3339(text: str) -> bool:
    """True if `parse_rfc3339` accepts the text."""
    try:
        parse_rfc3339(text)
    except ValueError:
        return False
    return True
