"""Whether a frozen version can still answer anywhere."""

import pytest

from linplane_api.conditions import Reason
from linplane_operator.compile.acknowledgements import Replica, unseen_replica
from linplane_operator.compile.observed import ReplicaReport, observe
from linplane_operator.compile.withdrawal import Acknowledgements, was_withdrawn, withdrawn
from unit.operator.builders import Object, linear_model, pod, replicas, report, typed, with_meta

LEFT = observe(ReplicaReport, report("p3", 4))
FROZEN = with_meta(linear_model(frozen=True), generation=3)


def status(value: str = "True", seen: int | None = 3) -> Object:
    return {"status": {"conditions": [{"type": "Withdrawn", "status": value, "observedGeneration": seen}]}}


def replica(name: str = "p1", sequence: int = 5, *, ready: bool = True) -> Replica:
    (made,) = replicas([pod(name, ready=ready)], [report(name, sequence)])
    return made


def server(*replicas: Replica, holding: tuple[str, ...] = (), uid: str = "map") -> Acknowledgements:
    return Acknowledgements(uid, 5 if uid else 0, holding, replicas)


@pytest.mark.parametrize(
    ("value", "seen", "generation", "expected"),
    [
        ("True", 3, 3, True),
        ("True", 2, 3, False),
        ("False", 3, 3, False),
        ("True", None, 3, False),
    ],
)
def test_withdrawn_is_remembered_for_this_very_generation(
    value: str, seen: int | None, generation: int, expected: bool
) -> None:
    """A version that was unfrozen and frozen again in between may have been served again."""
    model = with_meta(linear_model(frozen=True), generation=generation)
    assert was_withdrawn({**model, **status(value, seen)}) == expected
    assert not was_withdrawn(model)


@pytest.mark.parametrize(
    ("servers", "message"),
    [
        ([], None),
        ([server(replica())], None),
        ([server(replica()), server(replica("p2", 4))], "p2 has not loaded sequence 5"),
        ([server(replica(ready=False, sequence=4))], "p1 has not loaded sequence 5"),
        ([server(replica(), uid="")], "p1 waits for the routing ConfigMap, which is not there"),
        (
            [server(unseen_replica(LEFT))],
            "ReplicaReport p3 remains of a pod that is gone",
        ),
        ([server(replica("p1", 4)), server(holding=("homes",))], "route homes still has it in its document"),
    ],
)
def test_withdrawn_waits_for_every_document_and_every_replica_that_may_answer(
    servers: list[Acknowledgements], message: str | None
) -> None:
    found = withdrawn(FROZEN, typed(FROZEN), servers)
    assert (found.reason, found.status) == ((Reason.REPLICAS_BEHIND, "False") if message else (Reason.FROZEN, "True"))
    assert found.message == (message or "frozen, and no replica can answer with it")


def test_withdrawn_that_was_confirmed_waits_for_no_replica() -> None:
    """Only a document that has the version counts again."""
    model = FROZEN | status()
    behind = server(replica(sequence=4))
    assert withdrawn(model, typed(model), [behind]).reason is Reason.FROZEN
    assert withdrawn(model, typed(model), [behind, server(holding=("homes",))]).reason is Reason.REPLICAS_BEHIND


def test_version_that_is_not_frozen_is_not_withdrawn() -> None:
    model = linear_model()
    assert withdrawn(model, typed(model), [server()]).reason is Reason.NOT_FROZEN
