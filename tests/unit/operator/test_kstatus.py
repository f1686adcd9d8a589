"""Stalled and Reconciling, by which other tools judge an object that is not Ready."""

import pytest

from linplane_api import names
from linplane_api.condition_table import ROWS, Progress
from linplane_api.conditions import Cause, ConditionType, Reason
from linplane_api.kinds import CONFIG_MAP, LINEAR_MODEL, MODEL_ROUTE
from linplane_operator.compile.conditions import condition
from linplane_operator.compile.kstatus import joint_progress, progress_of, with_progress
from unit.operator.builders import Object, linear_model, model_route, status_condition, text
from unit.operator.harness import Sim

FAILS = {names.ERROR_KEY: '{"reason": "BadData", "message": "line 3: x is no number"}'}


def progress_reasons(body: Object) -> dict[str, str]:
    """The reasons of Stalled and Reconciling, by type, for those that the object has."""
    found = {kind: status_condition(body, kind) for kind in ("Stalled", "Reconciling")}
    return {kind: one["reason"] for kind, one in found.items() if one}


def warnings(sim: Sim) -> list[tuple[str, str]]:
    """Object and reason of each Event that is a Warning."""
    return [(name, reason) for name, warning, reason, _ in sim.cluster.events if warning]


@pytest.mark.parametrize("row", [row for row in ROWS if ConditionType.READY in row.statuses], ids=lambda r: r.reason)
def test_progress_follows_the_condition_table(row) -> None:
    for inherited in Progress:
        if inherited is Progress.INHERITED:
            continue
        due = inherited if row.progress is Progress.INHERITED else row.progress
        ready = condition(ConditionType.READY, Cause(row.reason, "why"))
        added = with_progress([ready], inherited)[1:]
        assert [(str(c.type), c.status, c.reason, c.message) for c in added] == (
            [(due.value, "True", row.reason, "why")] if due is not Progress.NONE else []
        )


def test_version_progress_is_read_from_its_current_status() -> None:
    def model(generation: int = 2, **spec: bool) -> Object:
        body = linear_model(**spec)
        conditions = [{"type": "Stalled", "status": "True"}]
        return {
            **body,
            "metadata": {**body["metadata"], "generation": 2},
            "status": {"observedGeneration": generation, "conditions": conditions},
        }

    assert progress_of(model()) is Progress.STALLED
    assert progress_of(model(generation=1)) is Progress.RECONCILING
    assert progress_of(model(generation=1, frozen=True)) is Progress.STALLED
    assert progress_of({**model(), "status": {"observedGeneration": 2}}) is Progress.NONE
    assert progress_of(None) is Progress.NONE


def test_progress_of_several_versions_is_the_worst() -> None:
    assert joint_progress([Progress.RECONCILING, Progress.STALLED, Progress.NONE]) is Progress.STALLED
    assert joint_progress([Progress.NONE, Progress.RECONCILING]) is Progress.RECONCILING
    assert joint_progress([]) is Progress.NONE


def test_training_version_is_reconciling_and_then_neither(sim: Sim) -> None:
    sim.trains = False
    sim.apply(linear_model(), model_route())
    sim.settle()
    assert progress_reasons(sim.model()) == {"Reconciling": "Pending"}
    assert progress_reasons(sim.route()) == {"Reconciling": "VersionNotReady"}
    sim.trains = True
    sim.settle()
    assert (progress_reasons(sim.model()), progress_reasons(sim.route())) == ({}, {})
    assert status_condition(sim.route(), "Ready")["status"] == "True"


def test_refused_data_stalls_the_version_and_its_routes(sim: Sim) -> None:
    sim.default_result = lambda: FAILS
    sim.apply(linear_model(), model_route())
    sim.settle()
    assert progress_reasons(sim.model()) == {"Stalled": "BadData"}
    assert progress_reasons(sim.route()) == {"Stalled": "VersionNotReady"}
    assert warnings(sim) == [("homes-v1", "BadData"), ("homes", "VersionNotReady")]
    sim.default_result = lambda: {names.ARTIFACT_KEY: text()}
    sim.edit(LINEAR_MODEL, "homes-v1", training={"data": {"synthetic": {"samples": 60}}})
    sim.settle()
    assert (progress_reasons(sim.model()), progress_reasons(sim.route())) == ({}, {})


def test_candidate_in_training_is_awaited_and_a_frozen_one_is_not(sim: Sim) -> None:
    sim.apply(linear_model(), linear_model("v2"), model_route())
    sim.settle()
    sim.trains = False
    sim.apply(linear_model("v3"))
    sim.edit(MODEL_ROUTE, "homes", split=[{"version": "v3", "percent": 10}])
    sim.settle()
    assert progress_reasons(sim.route()) == {"Reconciling": "CandidateUnavailable"}
    sim.trains = True
    sim.settle()
    assert progress_reasons(sim.route()) == {}
    sim.edit(LINEAR_MODEL, "homes-v3", frozen=True)
    sim.settle()
    assert progress_reasons(sim.route()) == {"Stalled": "CandidateUnavailable"}


def test_switch_to_a_frozen_or_absent_version(sim: Sim) -> None:
    sim.apply(linear_model(), linear_model("v2", frozen=True), model_route())
    sim.settle()
    sim.edit(MODEL_ROUTE, "homes", version="v2")
    sim.settle()
    assert progress_reasons(sim.route()) == {"Stalled": "VersionFrozen"}
    sim.edit(MODEL_ROUTE, "homes", version="v9")
    sim.settle()
    assert progress_reasons(sim.route()) == {}


def test_route_follows_a_version_whose_status_catches_up_with_its_spec(sim: Sim) -> None:
    """The route is reconciled before the status of the version is written; it needs no resync afterwards."""
    sim.apply(linear_model(acceptance={"minR2": "0.99"}), model_route())
    sim.settle()
    assert progress_reasons(sim.route()) == {"Stalled": "VersionNotReady"}
    sim.edit(LINEAR_MODEL, "homes-v1", acceptance={"minR2": "0.98"})
    own = ("LinearModel", "default", "homes-v1")
    del sim.pending[own]
    sim.reconcile_all()
    assert progress_reasons(sim.route()) == {"Reconciling": "VersionNotReady"}
    sim.enqueue(own)
    sim.settle()
    assert status_condition(sim.model(), "Ready")["reason"] == "AcceptanceMissed"
    assert (progress_reasons(sim.model()), progress_reasons(sim.route())) == (
        {"Stalled": "AcceptanceMissed"},
        {"Stalled": "VersionNotReady"},
    )


def test_lost_artifact_has_the_progress_of_its_new_training(sim: Sim) -> None:
    sim.apply(linear_model(), model_route())
    sim.settle()
    sim.trains = False
    for artifact in [a for a in sim.store.all(CONFIG_MAP) if a.get("immutable")]:
        sim.store.delete(CONFIG_MAP, artifact)
    sim.settle()
    assert progress_reasons(sim.model()) == {"Reconciling": "ArtifactLost"}
    assert warnings(sim) == []
    sim.trains = True
    sim.default_result = lambda: FAILS
    sim.settle()
    assert progress_reasons(sim.model()) == {"Stalled": "ArtifactLost"}
    assert warnings(sim).count(("homes-v1", "ArtifactLost")) == 1


def test_switch_that_is_confirmed_soon_never_shows_reconciling(sim: Sim) -> None:
    """Nor does it make an Event of either type, ever."""
    sim.apply(linear_model(), linear_model("v2"), model_route())
    sim.settle()
    shown: list[dict[str, str]] = []
    sim.cluster.wrote_status = lambda _body, status: shown.append(progress_reasons({"status": status}))
    sim.edit(MODEL_ROUTE, "homes", version="v2")
    sim.settle()
    assert shown
    assert all(one == {} for one in shown)
    assert not [e for e in sim.cluster.events if e[3].startswith(("Stalled", "Reconciling"))]


def test_switch_that_no_replica_confirms_is_reconciling(sim: Sim) -> None:
    sim.apply(linear_model(), linear_model("v2"), model_route())
    sim.settle()
    sim.loads = False
    sim.edit(MODEL_ROUTE, "homes", version="v2")
    sim.settle()
    assert progress_reasons(sim.route()) == {"Reconciling": "ReplicasBehind"}


def test_unreadable_spec_is_stalled_and_nothing_else(sim: Sim) -> None:
    sim.trains = False
    sim.apply(linear_model(), model_route())
    sim.settle()
    sim.edit(LINEAR_MODEL, "homes-v1", acceptance={"minR2": ["?"]})
    sim.settle()
    assert progress_reasons(sim.model()) == {"Stalled": str(Reason.INVALID_SPEC)}
