"""Rate limits, with a controlled clock."""

import time
from fractions import Fraction
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from linplane_api.routing import RateLimit
from linplane_server.state.limiter import CLIENTS, SECOND, Bucket, Limiter
from linplane_server.state.snapshot import route_bucket
from unit.server.builders import Clock


class ReferenceBucket:
    """A token bucket as textbooks have it, in exact numbers; times are in nanoseconds."""

    def __init__(self, rate: float, burst: int) -> None:
        self.rate, self.burst, self.tokens, self.last = Fraction(rate) / SECOND, burst, Fraction(burst), 0

    def take(self, now: int) -> bool:
        self.tokens = min(Fraction(self.burst), self.tokens + (now - self.last) * self.rate)
        self.last = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


# rates of which one token takes whole nanoseconds
rates = st.sampled_from([0.01, 0.0625, 0.5, 1.0, 2.0, 8.0, 10.0, 64.0, 1000.0]).map(lambda rate: Fraction(str(rate)))
steps = st.lists(st.tuples(st.integers(0, 4 * SECOND) | st.integers(0, 1000), st.sampled_from("abc")), max_size=60)


@given(rates, st.integers(1, 8), steps, st.booleans())
def test_limiter_is_a_token_bucket(rate: Fraction, burst: int, steps: list[tuple[int, str]], per_client: bool) -> None:
    clock = Clock(0)
    limiter = Limiter(clock)
    bucket = Bucket("r", float(rate), burst, per_client=per_client)
    references = {name: ReferenceBucket(rate, burst) for name in "abc"}
    for step, client in steps:
        clock.now += step
        expected = references[client if per_client else "a"].take(clock.now)
        assert (limiter.acquire(bucket, client) == 0) is expected


@given(st.floats(0.01, 1000), st.integers(1, 50))
def test_limiter_has_a_token_after_the_time_it_names(rate: float, burst: int) -> None:
    clock = Clock(0)
    limiter = Limiter(clock)
    bucket = Bucket("r", rate, burst, per_client=True)
    assert [limiter.acquire(bucket, "c") for _ in range(burst)] == [0] * burst
    wait = limiter.acquire(bucket, "c")
    assert isinstance(wait, int)
    assert wait >= 1
    clock.now += wait * SECOND
    assert limiter.acquire(bucket, "c") == 0


def test_limiter_charges_nothing_for_a_refused_request() -> None:
    clock = Clock(0)
    limiter = Limiter(clock)
    bucket = Bucket("r", 1.0, 1, per_client=True)
    limiter.acquire(bucket, "c")
    for _ in range(100):
        assert limiter.acquire(bucket, "c") == 1
    clock.now += SECOND
    assert limiter.acquire(bucket, "c") == 0


def test_limiter_memory_is_bounded_with_a_million_clients() -> None:
    limiter = Limiter(time.monotonic_ns)
    bucket = Bucket("r", 1.0, 1, per_client=True)
    pages = Path("/proc/self/statm")
    for i in range(CLIENTS):
        limiter.acquire(bucket, f"10.0.{i}")
    before = int(pages.read_text().split()[1])
    for i in range(1_000_000):
        limiter.acquire(bucket, f"10.1.{i}")
    assert len(limiter) == CLIENTS
    assert (int(pages.read_text().split()[1]) - before) * 4096 < 10 << 20


def test_limiter_keeps_the_client_seen_last() -> None:
    limiter = Limiter(Clock(), clients=2)
    bucket = Bucket("r", 0.001, 1, per_client=True)
    limiter.acquire(bucket, "a")
    limiter.acquire(bucket, "b")
    assert limiter.acquire(bucket, "a") > 0
    limiter.acquire(bucket, "c")  # pushes out b
    assert limiter.acquire(bucket, "a") > 0
    assert limiter.acquire(bucket, "b") == 0


def test_limiter_counts_clients_by_route() -> None:
    limiter = Limiter(Clock())
    for route in ("x", "y"):
        assert limiter.acquire(Bucket(route, 1.0, 1, per_client=True), "c") == 0


def test_limit_keeps_its_state_across_a_reload_unless_it_changes() -> None:
    limiter = Limiter(Clock())
    for per_client in (True, False):
        assert limiter.acquire(Bucket("r", 0.01, 1, per_client=per_client), "c") == 0
        limiter.retain([Bucket("r", 0.01, 1, per_client=per_client)])
        assert limiter.acquire(Bucket("r", 0.01, 1, per_client=per_client), "c") > 0
        assert limiter.acquire(Bucket("r", 100.0, 1, per_client=per_client), "c") == 0


def test_limits_of_removed_routes_are_dropped() -> None:
    limiter = Limiter(Clock())
    limiter.acquire(Bucket("r", 1.0, 1, per_client=False), "")
    limiter.retain([])
    assert len(limiter) == 0


def test_route_limit_is_divided_by_the_replicas_with_a_burst_of_at_least_one() -> None:
    divided = route_bucket("r", RateLimit(10, 20, "Route", 4))
    assert divided is not None
    assert (SECOND / divided.interval, divided.room / divided.interval) == (2.5, 5)
    least = route_bucket("r", RateLimit(10, 2, "Route", 4))
    assert least is not None
    assert least.room == least.interval
    whole = route_bucket("r", RateLimit(10, 20, "Client", 4))
    assert whole is not None
    assert SECOND / whole.interval == 10
    assert route_bucket("r", None) is None
