"""The budget of writes of routing ConfigMaps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_operator.budget import Budget


class Clock:
    """Stands until it is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_goes_at_once_and_then_one_a_second():
    """Each key has its own."""
    clock = Clock()
    budget = Budget(clock, burst=5, per_second=1.0)
    assert [budget("a") for _ in range(6)] == [0, 0, 0, 0, 0, 1.0]
    assert budget("b") == 0
    clock.now += 0.4
    assert budget("a") == pytest.approx(0.6)
    clock.now += 0.6
    assert budget("a") == 0
    assert budget("a") == pytest.approx(1.0)


@given(st.lists(st.floats(0, 3), max_size=60))
def test_it_never_gives_more_than_burst_and_rate(steps):
    """In any stretch of time; and whoever waits as long as it says gets one."""
    clock, times = Clock(), []
    budget = Budget(clock, burst=5, per_second=1.0)
    for step in steps:
        clock.now += step
        if (wait := budget("a")) > 0:
            clock.now += wait + 1e-9
            assert budget("a") == 0
        times.append(clock.now)
    for first in range(len(times)):
        for last in range(first, len(times)):
            assert last - first + 1 <= 5 + (times[last] - times[first]) + 1e-6
