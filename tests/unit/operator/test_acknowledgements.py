"""Acknowledgements: the truth table of what counts as loaded."""

import pytest

from linplane_operator.compile.acknowledgements import is_serving, loaded_by
from linplane_operator.compile.observed import Pod, observe
from unit.operator.builders import pod, replicas, report

RESTARTED = {"name": "server", "state": {"running": {"startedAt": "2026-03-01T11:00:00Z"}}}
WAITING = {"name": "server", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
REJECTS = [{"route": "homes", "reason": "format 2"}]
TERMINATING = {"deletionTimestamp": "2026-03-01T12:00:00Z"}


def _pod(**fields):
    metadata = fields.pop("meta", {})
    body = pod(**fields)
    return {**body, "metadata": {**body["metadata"], **metadata}}


# name: pod, report, loaded/total for the route, a part of the problem
CASES = {
    "loaded": (pod(), report(), (1, 1), ""),
    "a later sequence is loaded too": (pod(), report(sequence=9), (1, 1), ""),
    "no report": (pod(), None, (0, 1), "p1 has not reported"),
    "an earlier sequence": (pod(), report(sequence=4), (0, 1), "p1 has not loaded sequence 5"),
    "another ConfigMap's sequence": (pod(), report(uid="old"), (0, 1), "has not loaded"),
    "another pod's report of the same name": (pod(), report(podUID="gone"), (0, 1), "has not reported"),
    "the pod's clock is behind the runtime's": (pod(containerStatuses=[RESTARTED]), report(), (1, 1), ""),
    "the pod's clock is years ahead": (pod(), report(startedAt="2036-03-01T10:00:00Z"), (1, 1), ""),
    "the container restarted with nothing": (
        pod(containerStatuses=[RESTARTED]),
        report(sequence=0, uid=""),
        (0, 1),
        "p1 has not loaded sequence 5",
    ),
    "refused": (pod(), report(rejected=REJECTS, rejectedCount=1), (0, 1), "p1 refused the document of homes: format 2"),
    "another route was refused": (
        pod(),
        report(rejected=[{"route": "cars", "reason": "x"}], rejectedCount=1),
        (1, 1),
        "",
    ),
    "more were refused than are listed": (
        pod(),
        report(rejected=[{"route": "cars", "reason": "x"}], rejectedCount=9),
        (0, 1),
        "refused 9 documents, perhaps this one",
    ),
    "not ready": (pod(ready=False), report(), (0, 0), ""),
    "terminating": (_pod(meta=TERMINATING), report(), (0, 0), ""),
    "ended": (pod(phase="Failed"), report(), (0, 0), ""),
    "a pod that cannot be decoded": ({**pod(), "status": {"conditions": 7}}, report(), (0, 0), ""),
    "a report that is none": (pod(), {**report(), "report": {"podUID": 7}}, (0, 1), "has not reported"),
}


@pytest.mark.parametrize("name", CASES)
def test_replica_counts_by_its_pod_and_its_report(name):
    """The counted replicas, the loaded ones, and the message."""
    body, own, counts, part = CASES[name]
    result = loaded_by(replicas([body], [own] if own else []), "map", 5, "homes")
    assert (result.loaded, result.total) == counts
    assert part in result.problem
    assert bool(result.problem) == bool(part)
    assert result.converged == (counts == (1, 1))
    assert result.rejected == ("refused" in part)
    assert result.summary == f"{counts[0]}/{counts[1]}"


@pytest.mark.parametrize(
    ("body", "own", "withdrawn"),
    [
        (pod(), report(), True),
        (_pod(meta=TERMINATING), report(sequence=4), False),
        (_pod(meta=TERMINATING), report(), True),
        (pod(ready=False), report(sequence=4), False),
        (pod(ready=False), None, False),
        (pod(ready=False, containerStatuses=[WAITING]), None, False),
        (pod(phase="Pending", containerStatuses=[WAITING]), None, True),
        (pod(phase="Succeeded"), None, True),
        (pod(), report(rejected=[{"route": "cars", "reason": "x"}], rejectedCount=1), False),
    ],
    ids=[
        "loaded",
        "terminating, behind",
        "terminating, loaded",
        "not ready, behind",
        "not ready, silent",
        "restarting, silent",
        "never began",
        "ended",
        "goes on with an older document of some route",
    ],
)
def test_withdrawn_counts_every_replica_that_may_still_answer(body, own, withdrawn):
    """A terminating replica and one that is not ready answer too; one that never began does not."""
    result = loaded_by(replicas([body], [own] if own else []), "map", 5, terminating=True)
    assert (result.problem == "") == withdrawn


def test_withdrawn_needs_a_replica():
    """Without a replica nothing has converged."""
    assert not loaded_by([], "map", 5).converged


def test_refusal_is_reported_before_a_delay():
    """A delay passes by itself, a refusal does not."""
    found = replicas([pod("p1"), pod("p2")], [report("p1", 1), report("p2", rejected=REJECTS, rejectedCount=1)])
    result = loaded_by(found, "map", 5, "homes")
    assert "p2 refused" in result.problem
    assert (result.loaded, result.total, result.rejected) == (0, 2, True)


def test_map_is_loaded_only_if_no_route_was_refused():
    """For a ModelServer every route counts."""
    found = replicas([pod()], [report(rejected=REJECTS, rejectedCount=1)])
    assert loaded_by(found, "map", 5).rejected
    assert not loaded_by(found, "map", 5).converged


@pytest.mark.parametrize(("body", "serving"), [(pod(), True), (pod(ready=False), False), ({}, False)])
def test_pod_serves_while_it_is_ready(body, serving):
    """A terminating pod does not serve."""
    assert is_serving(observe(Pod, body)) == serving
    assert not is_serving(observe(Pod, _pod(meta=TERMINATING)))
    assert not is_serving(None)


def test_pod_that_cannot_be_decoded_may_still_answer_and_is_not_ready():
    (found,) = replicas([{**pod(), "status": "odd"}], [report()])
    assert (found.ready, found.terminating) == (False, True)
    assert loaded_by([found], "map", 9, terminating=True).problem == "p1 has not loaded sequence 9"
    assert loaded_by([found], "map", 9).total == 0
