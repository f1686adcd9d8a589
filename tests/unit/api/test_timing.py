"""Token buckets, back-offs, and times as RFC 3339 writes them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_api.timing import Backoff, TokenBucket, TokenBuckets, is_rfc3339, jittered, parse_rfc3339, rfc3339

NOON = datetime(2026, 2, 3, 12, 0, 0, 987654, tzinfo=timezone(timedelta(hours=2)))


class Clock:
    """Stands until it is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_bucket_gives_its_burst_at_once_and_then_its_rate() -> None:
    clock = Clock()
    bucket = TokenBucket(1.0, 5, clock)
    assert [bucket.acquire() for _ in range(6)] == [0, 0, 0, 0, 0, 1.0]
    clock.now += 0.4
    assert bucket.acquire() == pytest.approx(0.6)
    clock.now += 0.6
    assert bucket.acquire() == 0
    assert bucket.acquire() == pytest.approx(1.0)


def test_token_given_back_can_be_taken_again() -> None:
    bucket = TokenBucket(1.0, 2, Clock())
    assert [bucket.acquire(), bucket.acquire()] == [0, 0]
    bucket.give_back()
    assert [bucket.acquire(), bucket.acquire()] == [0, 1.0]


def test_bucket_ignores_rounding_errors_of_the_clock() -> None:
    """Ten times 0.1 is less than 1."""
    clock = Clock()
    clock.now = 0.0
    bucket = TokenBucket(1.0, 1, clock)
    assert bucket.acquire() == 0
    for _ in range(10):
        clock.now += 0.1
    assert clock.now < 1
    assert bucket.acquire() == 0


def test_bucket_of_a_slow_rate_is_not_emptied_by_early_calls() -> None:
    """A call each second gets the one token in ten seconds."""
    clock = Clock()
    bucket = TokenBucket(0.1, 1, clock)
    given = 0
    for _ in range(31):
        given += bucket.acquire() == 0
        clock.now += 1
    assert given == 4


@given(st.lists(st.floats(0, 3), max_size=60))
def test_bucket_never_gives_more_than_burst_and_rate(steps: list[float]) -> None:
    """In any period; and a call after the wait that was returned gets a token."""
    clock, times = Clock(), []
    bucket = TokenBucket(1.0, 5, clock)
    for step in steps:
        clock.now += step
        if (wait := bucket.acquire()) > 0:
            clock.now += wait
            assert bucket.acquire() == 0
        times.append(clock.now)
    for first in range(len(times)):
        for last in range(first, len(times)):
            assert last - first + 1 <= 5 + (times[last] - times[first]) + 1e-5


def test_buckets_are_by_key_and_full_ones_are_forgotten() -> None:
    clock = Clock()
    buckets: TokenBuckets[int] = TokenBuckets(1.0, 1, clock, many=10)
    assert [buckets.acquire(1), buckets.acquire(1), buckets.acquire(2)] == [0, 1.0, 0]
    for key in range(3, 1000):
        clock.now += 0.5
        assert buckets.acquire(key) == 0
        assert buckets.acquire(key) == 1.0
        assert len(buckets) <= 10


def test_buckets_in_use_are_never_forgotten() -> None:
    buckets: TokenBuckets[int] = TokenBuckets(1.0, 1, Clock(), many=10)
    assert [buckets.acquire(key) for key in range(50)] == [0] * 50
    assert [buckets.acquire(key) for key in range(50)] == [1.0] * 50


def test_delays_double_up_to_the_last() -> None:
    backoff = Backoff(0.5, 3.0)
    assert [backoff.delay(failures) for failures in (1, 2, 3, 4, 5, 5000)] == [0.5, 1.0, 2.0, 3.0, 3.0, 3.0]


@pytest.mark.parametrize(("chance", "delay"), [(0.0, 0.5), (0.5, 1.0), (1.0, 1.5)])
def test_jitter_is_a_factor_of_every_delay(chance: float, delay: float) -> None:
    """Of the last, too: replicas that failed together would else stay in step."""
    backoff = Backoff(1.0, 2.0, (0.5, 1.5), lambda: chance)
    assert [backoff.delay(1), backoff.delay(9)] == [delay, 2 * delay]
    assert jittered(10.0, (0.9, 1.1), lambda: chance) == pytest.approx(9 + 2 * chance)


def test_time_is_written_in_utc_cut_to_its_precision() -> None:
    assert rfc3339(NOON) == "2026-02-03T10:00:00Z"
    assert rfc3339(NOON, "milliseconds") == "2026-02-03T10:00:00.987Z"
    assert rfc3339(NOON, "microseconds") == "2026-02-03T10:00:00.987654Z"
    assert rfc3339(datetime(2026, 1, 1, tzinfo=UTC), "microseconds") == "2026-01-01T00:00:00.000000Z"


def test_time_reads_back_as_it_was_written() -> None:
    assert parse_rfc3339(rfc3339(NOON, "microseconds")) == NOON
    assert parse_rfc3339("2026-02-03t12:00:00+02:00") == NOON.replace(microsecond=0)


@pytest.mark.parametrize(
    "text", ["", "2026-02-03", "2026-02-03T10:00:00", "20260203T100000Z", "2026-02-30T10:00:00Z", "yesterday"]
)
def test_text_that_is_no_time_is_refused(text: str) -> None:
    assert not is_rfc3339(text)
    with pytest.raises(ValueError, match=r"."):
        parse_rfc3339(text)
