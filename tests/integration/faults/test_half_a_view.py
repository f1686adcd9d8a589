"""The operator starts while LISTs of one kind are slow, empty or forbidden: no object in use is deleted."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.cluster.objects import route, version
from integration.faults.crashes import Laboratory, settle
from integration.faults.lane import Lane
from integration.faults.proxy import Action, Answer, Delay, Empty, Rule
from integration.faults.workloads import TRAINING, all_is_well, by_hand, jobs_end, one_replica
from integration.faults.world import World, differences, world
from linplane_api.kinds import CONFIG_MAP, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, POD, REPLICA_REPORT, Kind
from linplane_operator.kube.watched_kinds import WATCHED
from support import eventually

KINDS = (LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, CONFIG_MAP, POD, REPLICA_REPORT)
CONFIRMED = ("loadedSummary", "loadedReplicas", "replicas", "conditions")  # fields about replicas outside of the cache


@pytest.fixture(scope="module")
def lane(laboratory: Laboratory) -> Iterator[Lane]:
    """A route with a hand-written, a trained and a frozen version."""
    with tempfile.TemporaryDirectory(prefix="linplane-lane-", ignore_cleanup_errors=True) as folder:
        lane = laboratory.lane(Path(folder))
        try:
            lane.apply(one_replica(), *by_hand("v1"), *by_hand("v3"), version("v2", training=TRAINING))
            lane.apply(route("v1", "v2"))
            all_is_well(lane)
            jobs_end(lane)
            settle(lane)
            yield lane
        finally:
            lane.close()


def start(lane: Lane, *rules: Rule) -> int:
    """Starts a new operator. Returns the number of calls before."""
    lane.operator.kill()
    lane.proxy.rules[:] = rules
    mark = len(lane.proxy.calls)
    lane.start_operator()
    return mark


def lists(kind: Kind, action: Action) -> Rule:
    """Applies a fault to each LIST of a kind."""
    return lambda call: action if call.is_list and call.resource == kind.plural else None


def at_work(lane: Lane, mark: int) -> None:
    """Waits until it watches everything and has not written for long enough to read missing objects twice."""
    wanted = {kind.plural for kind in WATCHED}
    eventually(lambda: wanted <= {call.resource for call in lane.proxy.calls[mark:] if call.is_watch})
    settle(lane, 2.0)


def now(lane: Lane, kind: Kind) -> World:
    found = world(lane.admin, lane.namespace)
    if kind in (POD, REPLICA_REPORT):
        for body in found.values():
            for key in CONFIRMED:
                body.get("status", {}).pop(key, None)
    return found


def answers(lane: Lane) -> list[object]:
    """The answers to one user of the current version."""
    return [(answer["status"], answer.get("prediction")) for answer in lane.predict("iris", {"x": 1.0}, "a user")]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_empty_list_at_startup_withdraws_nothing(lane: Lane, kind: Kind) -> None:
    before, said = now(lane, kind), answers(lane)
    mark = start(lane, lists(kind, Empty()))
    at_work(lane, mark)
    assert [call for call in lane.proxy.calls[mark:] if call.is_list and call.resource == kind.plural]
    assert [call.what for call in lane.proxy.writes(mark) if call.created or call.deleted] == []
    assert [*differences(before, now(lane, kind))] == []
    assert answers(lane) == said
    if kind in (POD, REPLICA_REPORT):
        start(lane)
    all_is_well(lane)
    settle(lane, 1.2)  # counts are written once a second


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_forbidden_list_at_startup_is_reported_and_delays_all_writes(lane: Lane, kind: Kind) -> None:
    mark = start(lane, lists(kind, Answer(403)))
    named = f"a list of {kind.plural}: 403 Forbidden"
    eventually(lambda: lane.operator.ask("/readyz")[0] == 503 and named in lane.operator.ask("/readyz")[1])
    eventually(lambda: any(named in line["message"] for line in lane.operator.logged()))
    assert [call.what for call in lane.proxy.calls[mark:] if call.is_write] == []
    lane.proxy.rules.clear()
    eventually(lambda: lane.operator.ask("/readyz")[0] == 200)
    assert lane.operator.process.poll() is None
    assert lane.tracebacks() == []


@pytest.mark.parametrize("order", [1, -1])
def test_slow_lists_are_waited_for(lane: Lane, order: int) -> None:
    """Delays each LIST by a different time, and then in reverse order."""
    slow = {kind.plural: Delay(0.2 * number) for number, kind in enumerate(KINDS[::order])}
    mark = start(lane, lambda call: slow.get(call.resource) if call.is_list else None)
    at_work(lane, mark)
    assert [call.what for call in lane.proxy.calls[mark:] if call.is_write] == []
