"""The verdict of kstatus (Helm 4, Flux) on an object for every reason that it may give for Ready."""

import uuid
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from linplane_api.condition_table import ROWS, TABLE, Progress, Row, gives
from linplane_api.conditions import Cause, ConditionType, Reason, Status
from linplane_api.kinds import LINEAR_MODEL, MODEL_ROUTE
from linplane_api.manifests.validation import load_schemas
from linplane_operator.compile.conditions import condition
from linplane_operator.compile.kstatus import with_progress
from unit.operator.builders import linear_model, model_route, status_condition
from unit.operator.harness import Sim
from unit.operator.planning import error

Object = dict[str, Any]
READY = [row for row in ROWS if ConditionType.READY in row.statuses]
EXPECTED = {Progress.STALLED: "Failed", Progress.RECONCILING: "InProgress", Progress.NONE: "InProgress"}
KINDS = {
    "LinearModel": {
        ConditionType.TRAINED: Reason.TRAINED,
        ConditionType.VALIDATED: Reason.VALIDATED,
        ConditionType.WITHDRAWN: Reason.NOT_FROZEN,
    },
    "ModelRoute": {
        ConditionType.ACCEPTED: Reason.ACCEPTED,
        ConditionType.SERVABLE: Reason.SERVING,
        ConditionType.CONVERGED: Reason.CONVERGED,
    },
    "ModelServer": {
        ConditionType.AVAILABLE: Reason.REPLICAS_READY,
        ConditionType.CONVERGED: Reason.CONVERGED,
    },
}
"""The conditions of each kind besides Ready, with the reason of each that does not have Ready's."""


def _object(status: Object, kind: str = "ModelRoute", generation: int = 1) -> Object:
    metadata = {"name": "x", "generation": generation}
    return {"apiVersion": "linplane.dev/v1alpha1", "kind": kind, "metadata": metadata, "status": status}


def _status(row: Row, inherited: Progress, kind: str) -> Object:
    reasons = {one: row.reason if gives(one, row.reason) else rest for one, rest in KINDS[kind].items()}
    reasons[ConditionType.READY] = row.reason
    conditions = [condition(one, Cause(reason, f"because: {reason}")) for one, reason in reasons.items()]
    found = msgspec.to_builtins(with_progress(conditions, inherited))
    return {"observedGeneration": 1, "conditions": list(found)}


def _verdict(row: Row, inherited: Progress) -> str:
    ready: Status = row.statuses[ConditionType.READY]
    if ready == "True":
        return "Current"
    return EXPECTED[inherited if row.progress is Progress.INHERITED else row.progress]


def test_kstatus_fails_stalled_objects_and_waits_for_the_rest(judges: ModuleType) -> None:
    cases = [(row, inherited, kind) for row in READY for inherited in EXPECTED for kind in KINDS]
    verdicts = judges.kstatus([_object(_status(*case), case[-1]) for case in cases])
    wrong = [
        (str(row.reason), inherited, kind, verdict)
        for (row, inherited, kind), verdict in zip(cases, verdicts, strict=True)
        if verdict.status != _verdict(row, inherited)
    ]
    assert wrong == []
    failed = {verdict.message for verdict in verdicts if verdict.status == "Failed"}
    assert "because: BadData" in failed, "the reason's own words reach people"


def test_kstatus_reads_each_status_that_the_operator_writes(
    judges: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every object since the first apply, with failed trainings, missed gates and frozen versions."""
    monkeypatch.setattr(uuid, "uuid4", uuid.uuid4)  # the simulator replaces it
    sim, objects = Sim(tmp_path), []
    sim.cluster.wrote_status = lambda body, status: objects.append({**body, "status": status})
    sim.results["homes-v3"] = error
    sim.apply(
        *map(linear_model, ("v1", "v2", "v3")),
        linear_model("v4", frozen=True),
        linear_model("v5", acceptance={"minR2": "0.99"}),
        model_route(split=[("v2", 10)]),
        model_route("v3", name="waits"),
        model_route("v5", name="misses"),
        model_route("v1", name="partly", split=[("v4", 10)]),
        model_route("v1", name="lost", serverName="nowhere"),
    )
    sim.settle()
    sim.edit(LINEAR_MODEL, "homes-v1", frozen=True)
    sim.settle()
    sim.edit(MODEL_ROUTE, "partly", version="v9")
    sim.loads = False
    sim.edit(MODEL_ROUTE, "homes", version="v2", split=None)
    sim.settle()
    verdicts = [verdict.status for verdict in judges.kstatus(objects)]
    assert verdicts == [_verdict_of(one) for one in objects]
    assert {status_condition(one, "Ready")["reason"] for one in objects} >= {
        *("Training", "Validated", "BadData", "AcceptanceMissed"),
        *("Ready", "NoReplicas", "ReplicasBehind", "VersionNotFound", "VersionNotReady"),
        *("CandidateUnavailable", "CurrentFrozen", "ServerUnsupported"),
    }


def _verdict_of(body: Object) -> str:
    inherited = Progress.STALLED if status_condition(body, "Stalled") else Progress.NONE
    return _verdict(TABLE[status_condition(body, "Ready")["reason"]], inherited)


def test_kstatus_waits_for_objects_that_no_controller_has_observed(judges: ModuleType) -> None:
    """With the status's default, which an API server fills in, and after a change of the spec."""
    schemas = load_schemas()
    defaults = [schemas.schema(kind)["properties"]["status"]["default"] for kind in KINDS]
    ready = {"type": "Ready", "status": "True", "reason": "Ready", "message": ""}
    objects = [_object(default, kind) for kind, default in zip(KINDS, defaults, strict=True)]
    objects.append(_object({"observedGeneration": 1, "conditions": [ready]}, generation=2))
    assert [verdict.status for verdict in judges.kstatus(objects)] == ["InProgress"] * 4
