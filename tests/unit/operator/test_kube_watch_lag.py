"""A watch lags if it does not deliver what LISTs show, and never for being silent."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from linplane_api.kinds import CONFIG_MAP, LINEAR_MODEL
from linplane_operator.kube.watch_lag import Lag, WatchLag


def model(version: int, namespace: str = "n") -> dict[str, Any]:
    return {"metadata": {"namespace": namespace, "name": "m-v1", "resourceVersion": str(version)}}


class ClockedLag:
    """WatchLag, on a clock that is set."""

    def __init__(self, *namespaces: str) -> None:
        self.now = 100.0
        self.watch_lag = WatchLag((LINEAR_MODEL, CONFIG_MAP), namespaces, lambda: self.now)

    def later(self, seconds: float = 60.0) -> WatchLag:
        self.now += seconds
        return self.watch_lag


def test_watch_that_is_silent_has_no_lag() -> None:
    """Nothing changed, for an hour of lists."""
    clocked = ClockedLag()
    clocked.watch_lag.received(LINEAR_MODEL, model(7))
    for _ in range(60):
        clocked.later().listed(LINEAR_MODEL, None, 7)
        clocked.watch_lag.listed(CONFIG_MAP, None, 0)
    assert clocked.watch_lag.lagging() == {}
    figures = {kind.kind: rest for kind, *rest in clocked.watch_lag.figures()}
    assert figures["LinearModel"] == [1, 3600.0, 0.0]


def test_lag_lasts_until_the_watch_delivers_what_a_list_showed() -> None:
    clocked = ClockedLag()
    clocked.watch_lag.received(LINEAR_MODEL, model(7))
    clocked.watch_lag.listed(LINEAR_MODEL, None, 9)
    assert clocked.watch_lag.lag(LINEAR_MODEL) == Lag(0.0, 0)
    clocked.later().listed(LINEAR_MODEL, None, 11)
    clocked.later().listed(LINEAR_MODEL, None, 12)
    assert clocked.watch_lag.lagging() == {"LinearModel": Lag(120.0, 2)}
    clocked.watch_lag.received(LINEAR_MODEL, model(8))
    assert clocked.watch_lag.lag(LINEAR_MODEL).lists == 2, "that is not it"
    clocked.watch_lag.received(LINEAR_MODEL, model(9))
    assert clocked.watch_lag.lagging() == {}
    clocked.later().listed(LINEAR_MODEL, None, 12)
    assert clocked.watch_lag.lag(LINEAR_MODEL) == Lag(0.0, 0), "a new debt"


def test_lag_ends_if_the_object_is_deleted() -> None:
    """Deleted in a gap of the watch."""
    clocked = ClockedLag()
    clocked.watch_lag.received(LINEAR_MODEL, model(7))
    clocked.watch_lag.listed(LINEAR_MODEL, None, 9)
    clocked.later().listed(LINEAR_MODEL, None, 7)
    assert clocked.watch_lag.lagging() == {}


def test_lag_counts_no_lists_while_they_fail() -> None:
    clocked = ClockedLag()
    clocked.watch_lag.listed(LINEAR_MODEL, None, 9)
    clocked.later(7200)
    assert clocked.watch_lag.lag(LINEAR_MODEL) == Lag(7200.0, 0)


def test_lag_is_tracked_per_namespace() -> None:
    clocked = ClockedLag("a", "b")
    clocked.watch_lag.received(LINEAR_MODEL, model(9, "a"))
    clocked.watch_lag.listed(LINEAR_MODEL, "a", 9)
    clocked.watch_lag.listed(LINEAR_MODEL, "b", 8)
    clocked.later().listed(LINEAR_MODEL, "b", 8)
    assert clocked.watch_lag.lag(LINEAR_MODEL) == Lag(60.0, 1)
    clocked.watch_lag.received(LINEAR_MODEL, model(8, "b"))
    assert clocked.watch_lag.lagging() == {}


@given(st.lists(st.integers(1, 3), min_size=1, max_size=30))
def test_lag_of_a_late_watch_never_spans_two_lists(steps: list[int]) -> None:
    """However busy: each list shows a new object, which the watch delivers before the next."""
    clocked, version = ClockedLag(), 0
    for step in steps:
        version += step
        clocked.later().listed(LINEAR_MODEL, None, version)
        assert clocked.watch_lag.lag(LINEAR_MODEL).lists == 0
        clocked.watch_lag.received(LINEAR_MODEL, model(version))
