"""Who switched, froze and unfroze: one Event each, and none for what is as it was."""

from linplane_api.conditions import Reason
from linplane_api.kinds import LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER
from linplane_operator.compile.change_events import WARNINGS, manager_of, news
from linplane_operator.kube.event_recorder import EventRecorder
from linplane_operator.kube.http import HttpClient
from linplane_operator.kube.informer import slim
from unit.operator.builders import NOW, linear_model, model_route


def managed(body, field, manager="kubectl-patch"):
    entries = [
        {"manager": "helm", "fieldsV1": {"f:spec": {"f:model": {}}}, "time": "t"},
        {"manager": manager, "operation": "Update", "fieldsV1": {"f:spec": {f"f:{field}": {}, "f:model": {}}}},
        {"manager": "linplane", "fieldsV1": {"f:status": {}}},
    ]
    return {**body, "metadata": {**body["metadata"], "managedFields": entries}}


def withdrawn(reason):
    return {"conditions": [{"type": "Withdrawn", "status": "False", "reason": reason}]}


def test_switch_event_names_both_versions_and_the_field_manager():
    route = model_route()
    first = {"to": "v1", "at": "t1"}
    second = {"to": "v2", "from": "v1", "at": "t2", "manager": "linplane-admin"}
    assert news(MODEL_ROUTE, route, {"switches": [first]}) == [("Switched", "the current version went to v1")]
    route["status"] = {"switches": [first]}
    text = "the current version went from v1 to v2, by field manager linplane-admin"
    assert news(MODEL_ROUTE, route, {"switches": [first, second]}) == [("Switched", text)]
    route["status"] = {"switches": [first, second]}
    assert news(MODEL_ROUTE, route, {"switches": [first, second]}) == []
    assert news(MODEL_ROUTE, route, {}) == []


def test_freeze_and_unfreeze_events_name_the_field_manager():
    model = managed(linear_model(), "frozen")
    by = ", by field manager kubectl-patch"
    asked = [
        (None, "NotFrozen", []),
        (None, "ReplicasBehind", [("SpecFrozen", f"frozen went from false to true{by}")]),
        ("NotFrozen", "ReplicasBehind", [("SpecFrozen", f"frozen went from false to true{by}")]),
        ("ReplicasBehind", "Frozen", []),
        ("Frozen", "NotFrozen", [("SpecUnfrozen", f"frozen went from true to false{by}")]),
        ("NotFrozen", "NotFrozen", []),
    ]
    for before, after, expected in asked:
        model["status"] = withdrawn(before) if before else {}
        assert news(LINEAR_MODEL, model, withdrawn(after)) == expected
    model["status"] = withdrawn("Frozen")
    assert news(LINEAR_MODEL, model, {}) == [], "it does not say"
    assert news(MODEL_SERVER, model, withdrawn("Frozen")) == []


def test_training_warning_is_one_event():
    model = linear_model()
    few, dropped = ({"reason": reason, "message": reason.lower()} for reason in ("FewRows", "RowsDropped"))
    assert news(LINEAR_MODEL, model, {"warnings": [few, dropped]}) == [
        ("FewRows", "fewrows"),
        ("RowsDropped", "rowsdropped"),
    ]
    model["status"] = {"warnings": [few]}
    assert news(LINEAR_MODEL, model, {"warnings": [few, dropped]}) == [("RowsDropped", "rowsdropped")]
    assert news(LINEAR_MODEL, model, {"warnings": [few]}) == []
    assert {"FewRows", "RowsDropped", "ColumnsLeftOut", "TargetRepeated", "NearlyDependent", "DataEdited"} == WARNINGS
    assert not WARNINGS & set(Reason), "a reason of a condition is none of a warning"


def test_managed_fields_keep_only_the_field_that_is_read():
    """There may be thousands of versions."""
    for kind, body, field in ((LINEAR_MODEL, linear_model(), "frozen"), (MODEL_ROUTE, model_route(), "version")):
        kept = slim(kind, managed(body, field))
        assert manager_of(kept, field) == "kubectl-patch"
        assert kept["metadata"]["managedFields"] == [
            {"manager": "kubectl-patch", "fieldsV1": {"f:spec": {f"f:{field}": {}}}}
        ]
        assert "managedFields" not in slim(kind, managed(body, "other"))["metadata"]


async def test_user_action_has_its_event_during_an_event_storm():
    """The limit of EventRecorder an object is for conditions that flap."""
    events = EventRecorder(HttpClient(None), lambda: NOW, lambda: 0.0, "test")
    route = managed(model_route(), "version")
    for _ in range(100):
        events.record(route, False, "Converged", "x")
    dropped = events.dropped
    assert dropped > 50
    events.record(route, False, "Switched", "x")
    assert events.dropped == dropped
