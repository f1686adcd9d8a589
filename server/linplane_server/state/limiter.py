"""Rate limits as token buckets, each stored as one number (GCRA): the time at which the bucket will be full again.

Memory is bounded: only the buckets of the CLIENTS clients seen last are kept, over all routes. A client that is evicted
starts with a full bucket; that happens only after CLIENTS other clients sent requests and it sent none.

A library does not fit: neither `limits` nor `aiolimiter` bounds the number of clients that it keeps in memory, nor does
`linplane_api.timing.TokenBuckets`, which also takes more of it (250 bytes per client, 170 here, measured).
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable

CLIENTS = 10_000
SECOND = 1_000_000_000  # in nanoseconds


class Bucket:
    """A limit: `rate` tokens per second, `burst` at most. A bucket keeps its state across reloads as long as its
    numbers are unchanged; otherwise it starts full.
    """

    __slots__ = ("interval", "key", "per_client", "room", "route")

    def __init__(self, route: str, rate: float, burst: int, *, per_client: bool) -> None:
        """`rate` is above 0, `burst` at least 1."""
        self.route = route
        self.per_client = per_client
        self.interval = max(1, round(SECOND / rate))
        self.room = burst * self.interval
        self.key = f"{route} {rate!r} {burst} {per_client}"


class Limiter:
    """The state of all buckets. `clock` is monotonic, in whole nanoseconds: integer sums are exact, so bursts are
    exact.
    """

    def __init__(self, clock: Callable[[], int], clients: int = CLIENTS) -> None:
        """`clients` is the maximum number of client buckets."""
        self._clock = clock
        self._clients = clients
        self._by_client: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._by_route: dict[str, int] = {}

    def retain(self, buckets: Iterable[Bucket]) -> None:
        """Drops the state of Route limits that are not in `buckets`; that of clients is evicted by age."""
        keys = {bucket.key for bucket in buckets}
        self._by_route = {key: full for key, full in self._by_route.items() if key in keys}

    def acquire(self, bucket: Bucket, client: str) -> int:
        """Takes a token and returns 0, or, if there is none, the whole seconds, at least 1, until there is one."""
        now = self._clock()
        if bucket.per_client:
            return self._acquire_for_client(bucket, (bucket.key, client), now)
        full = max(self._by_route.get(bucket.key, now), now) + bucket.interval
        if full - now > bucket.room:
            return _wait(full - now - bucket.room)
        self._by_route[bucket.key] = full
        return 0

    def _acquire_for_client(self, bucket: Bucket, key: tuple[str, str], now: int) -> int:
        table = self._by_client
        full = table.get(key)
        if full is None:
            if len(table) >= self._clients:
                table.popitem(last=False)
            table[key] = now + bucket.interval
            return 0
        table.move_to_end(key)
        full = (max(now, full)) + bucket.interval
        if full - now > bucket.room:
            return _wait(full - now - bucket.room)
        table[key] = full
        return 0

    def __len__(self) -> int:
        """The number of buckets in memory."""
        return len(self._by_client) + len(self._by_route)


def _wait(nanoseconds: int) -> int:
    return -(-nanoseconds // SECOND)  # rounded up
