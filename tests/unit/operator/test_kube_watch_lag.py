"""A watch lags if it does not deliver what LISTs show, and never for being silent."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from linplane_api.kinds import CONFIG_MAP, LINEAR_MODEL
from linplane_operator.kube.watch_lag import Lag, WatchLag


def model(version: int, namespace: str = "n") -> dict[str, Any]:
    return {"metadata": {"namespace": namespace, "name": "m-v1", "resourceVersion": str(version)}}


class Told:
    """WatchLag, on a clock that is set."""

    def __init__(self, *namespaces: str) -> None:
        self.now = 100.0
        self.watch_lag = WatchLag((LINEAR_MODEL, CONFIG_MAP), namespaces, lambda: self.now)

    def later(self, seconds: float = 60.0) -> WatchLag:
        self.now += seconds
        return self.watch_lag


def test_watch_that_is_silent_has_no_lag() -> None:
    """Nothing changed, for an hour of lists."""
    told = Told()
    told.watch_lag.received(LINEAR_MODEL, model(7))
    for _ in range(60):
        told.later().listed(LINEAR_MODEL, None, 7)
        told.watch_lag.listed(CONFIG_MAP, None, 0)
    assert told.watch_lag.lagging() == {}
    figures = {kind.kind: rest for kind, *rest in told.watch_lag.figures()}
    assert figures["LinearModel"] == [1, 3600.0, 0.0]


def test_lag_lasts_until_the_watch_delivers_what_a_list_showed() -> None:
    told = Told()
    told.watch_lag.received(LINEAR_MODEL, model(7))
    told.watch_lag.listed(LINEAR_MODEL, None, 9)
    assert told.watch_lag.lag(LINEAR_MODEL) == Lag(0.0, 0)
    told.later().listed(LINEAR_MODEL, None, 11)
    told.later().listed(LINEAR_MODEL, None, 12)
    assert told.watch_lag.lagging() == {"LinearModel": Lag(120.0, 2)}
    told.watch_lag.received(LINEAR_MODEL, model(8))
    assert told.watch_lag.lag(LINEAR_MODEL).lists == 2, "that is not it"
    told.watch_lag.received(LINEAR_MODEL, model(9))
    assert told.watch_lag.lagging() == {}
    told.later().listed(LINEAR_MODEL, None, 12)
    assert told.watch_lag.lag(LINEAR_MODEL) == Lag(0.0, 0), "a new debt"


def test_lag_ends_if_the_object_is_deleted() -> None:
    """Deleted in a gap of the watch."""
    told = Told()
    told.watch_lag.received(LINEAR_MODEL, model(7))
    told.watch_lag.listed(LINEAR_MODEL, None, 9)
    told.later().listed(LINEAR_MODEL, None, 7)
    assert told.watch_lag.lagging() == {}


def test_lag_counts_no_lists_while_they_fail() -> None:
    told = Told()
    told.watch_lag.listed(LINEAR_MODEL, None, 9)
    told.later(7200)
    assert told.watch_lag.lag(LINEAR_MODEL) == Lag(7200.0, 0)


def test_lag_is_tracked_per_namespace() -> None:
    told = Told("a", "b")
    told.watch_lag.received(LINEAR_MODEL, model(9, "a"))
    told.watch_lag.listed(LINEAR_MODEL, "a", 9)
    told.watch_lag.listed(LINEAR_MODEL, "b", 8)
    told.later().listed(LINEAR_MODEL, "b", 8)
    assert told.watch_lag.lag(LINEAR_MODEL) == Lag(60.0, 1)
    told.watch_lag.received(LINEAR_MODEL, model(8, "b"))
    assert told.watch_lag.lagging() == {}


@given(st.lists(st.integers(1, 3), min_size=1, max_size=30))
def test_lag_of_a_late_watch_never_spans_two_lists(steps: list[int]) -> None:
    """However busy: each list shows a new object, which the watch delivers before the next."""
    told, version = Told(), 0
    for step in steps:
        version += step
        told.later().listed(LINEAR_MODEL, None, version)
        assert told.watch_lag.lag(LINEAR_MODEL).lists == 0
        told.watch_lag.received(LINEAR_MODEL, model(version))
