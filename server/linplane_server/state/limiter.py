"""Rate limits as token buckets, kept as one number each (GCRA): the time at which the bucket will be full again.

Memory is bounded: client buckets are kept for the CLIENTS used last, of all routes together. Forgetting one means a
full bucket, and only such a client is forgotten as asked for nothing while CLIENTS others did.

`linplane_api.timing.TokenBuckets` is not used: it keeps every bucket in use, so its memory grows with the clients, and
a client takes 250 bytes there, 170 here.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable

CLIENTS = 10_000
SECOND = 1_000_000_000  # in nanoseconds


class Bucket:
    """A limit: `rate` tokens a second, room for `burst`. Buckets of equal numbers share their state across reloads;
    others start full.
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
    """The state of all buckets. `clock` is monotonic, in whole nanoseconds: their sums are exact, so a burst is."""

    def __init__(self, clock: Callable[[], int], clients: int = CLIENTS) -> None:
        """`clients` bounds the buckets kept."""
        self._clock = clock
        self._clients = clients
        self._by_client: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._by_route: dict[str, int] = {}

    def retain(self, buckets: Iterable[Bucket]) -> None:
        """Drops the state of Route limits that no route has any more; that of clients ages out by itself."""
        keys = {bucket.key for bucket in buckets}
        self._by_route = {key: full for key, full in self._by_route.items() if key in keys}

    def acquire(self, bucket: Bucket, client: str) -> int:
        """Takes one token. 0 where there was one, else whole seconds, at least 1, until there is one again."""
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
        full = max(full, now) + bucket.interval
        if full - now > bucket.room:
            return _wait(full - now - bucket.room)
        table[key] = full
        return 0

    def __len__(self) -> int:
        """Buckets kept."""
        return len(self._by_client) + len(self._by_route)


def _wait(nanoseconds: int) -> int:
    return -(-nanoseconds // SECOND)
