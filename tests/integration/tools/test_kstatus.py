"""The verdict of kstatus (Helm 4, Flux) on an object for every reason that it may give for Ready."""

from types import ModuleType
from typing import Any

import msgspec

from linplane_api.condition_table import ROWS, Progress, Row
from linplane_api.conditions import ConditionType, Status
from linplane_api.validation import load_schemas
from linplane_operator.compile.conditions import condition
from linplane_operator.compile.waiting import with_progress

Object = dict[str, Any]
READY = [row for row in ROWS if ConditionType.READY in row.statuses]
EXPECTED = {Progress.STALLED: "Failed", Progress.RECONCILING: "InProgress", Progress.NONE: "InProgress"}
KINDS = ("LinearModel", "ModelRoute", "ModelServer")


def _object(status: Object, kind: str = "ModelRoute", generation: int = 1) -> Object:
    metadata = {"name": "x", "generation": generation}
    return {"apiVersion": "linplane.dev/v1alpha1", "kind": kind, "metadata": metadata, "status": status}


def _status(row: Row, inherited: Progress) -> Object:
    conditions = with_progress([condition(ConditionType.READY, row.reason, f"because: {row.reason}")], inherited)
    return {"observedGeneration": 1, "conditions": [msgspec.to_builtins(one) for one in conditions]}


def _verdict(row: Row, inherited: Progress) -> str:
    ready: Status = row.statuses[ConditionType.READY]
    if ready == "True":
        return "Current"
    return EXPECTED[inherited if row.progress is Progress.INHERITED else row.progress]


def test_it_fails_what_is_stalled_and_waits_for_the_rest(judges: ModuleType) -> None:
    cases = [(row, inherited) for row in READY for inherited in EXPECTED]
    verdicts = judges.kstatus([_object(_status(*case)) for case in cases])
    wrong = [
        (str(row.reason), inherited, verdict)
        for (row, inherited), verdict in zip(cases, verdicts, strict=True)
        if verdict.status != _verdict(row, inherited)
    ]
    assert wrong == []
    failed = {verdict.message for verdict in verdicts if verdict.status == "Failed"}
    assert "because: BadData" in failed, "the reason's own words reach people"


def test_it_waits_for_what_no_controller_has_looked_at(judges: ModuleType) -> None:
    """By the default of the status, which an API server fills in; and after a change of the spec."""
    schemas = load_schemas()
    defaults = [schemas.schema(kind)["properties"]["status"]["default"] for kind in KINDS]
    ready = {"type": "Ready", "status": "True", "reason": "Ready", "message": ""}
    objects = [_object(default, kind) for kind, default in zip(KINDS, defaults, strict=True)]
    objects.append(_object({"observedGeneration": 1, "conditions": [ready]}, generation=2))
    assert [verdict.status for verdict in judges.kstatus(objects)] == ["InProgress"] * 4
