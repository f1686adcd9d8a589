"""Conclusions of Argo CD, Flux and kstatus (so Helm 4 too) from the statuses that the operator writes."""

from pathlib import Path
from types import ModuleType
from typing import Any, cast

import cel
import pytest
import yaml

from linplane_api.kinds import LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, Kind
from linplane_api.manifests.validation import load_schemas
from linplane_api.names import API_VERSION

FOLDER = Path(__file__).parents[3] / "integrations"
ARGO_CD = yaml.safe_load((FOLDER / "argocd/argocd-cm.yaml").read_text())["data"]
FLUX = yaml.safe_load((FOLDER / "flux/kustomization.yaml").read_text())["spec"]["healthCheckExprs"]
KINDS = (LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER)
SPECS: dict[str, dict[str, Any]] = {
    "LinearModel": {"model": "rent", "version": "v1"},
    "ModelRoute": {"model": "rent", "version": "v1"},
    "ModelServer": {"replicas": 2},
}

Object = dict[str, Any]


def made(kind: Kind, conditions: dict[str, str] | None = None, seen: int = 3, **spec: Any) -> Object:
    """An object of generation 3 whose status is of generation `seen`; `conditions` by type."""
    status: Object = {"observedGeneration": seen}
    if conditions is not None:
        status["conditions"] = [
            {"type": name, "status": value, "reason": "Any", "message": f"{name} it is", "observedGeneration": seen}
            for name, value in conditions.items()
        ]
    return {
        "apiVersion": API_VERSION,
        "kind": kind.kind,
        "metadata": {"name": "rent-v1", "namespace": "default", "generation": 3},
        "spec": {**SPECS[kind.kind], **spec},
        "status": status,
    }


def argo_cd(judges: ModuleType, item: Object) -> tuple[str, str]:
    """Health and message from the script for its kind."""
    health = judges.run_lua(ARGO_CD[f"resource.customizations.health.linplane.dev_{item['kind']}"], item)
    return health["status"], health.get("message", "")


def flux(item: Object) -> str:
    """Flux's evaluation order: in progress for an older generation, then failed, then current."""
    (expressions,) = [entry for entry in FLUX if entry["kind"] == item["kind"]]
    if item["status"]["observedGeneration"] != item["metadata"]["generation"]:
        return "InProgress"
    for verdict in ("failed", "current"):
        if cel.evaluate(expressions[verdict], item) is True:
            return verdict.title()
    return "InProgress"


UNSEEN = "The operator has not seen this generation yet"
SAMPLES: list[tuple[str, dict[str, str] | None, int, str, str, str]] = [
    # name, conditions, generation of the status; kstatus and Flux, Argo CD, its message
    ("just made", None, 0, "InProgress", "Progressing", UNSEEN),
    ("changed", {"Ready": "True"}, 2, "InProgress", "Progressing", UNSEEN),
    ("ready", {"Ready": "True"}, 3, "Current", "Healthy", "Ready it is"),
    ("at work", {"Ready": "False", "Reconciling": "True"}, 3, "InProgress", "Progressing", "Ready it is"),
    ("waits for another", {"Ready": "False"}, 3, "InProgress", "Progressing", "Ready it is"),
    ("unknown", {"Ready": "Unknown"}, 3, "InProgress", "Progressing", "Ready it is"),
    ("failed", {"Ready": "False", "Stalled": "True"}, 3, "Failed", "Degraded", "Stalled it is"),
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.kind))
@pytest.mark.parametrize("sample", SAMPLES, ids=[sample[0] for sample in SAMPLES])
def test_tools_agree_on_the_health_of_each_status(judges: ModuleType, kind: Kind, sample: tuple[Any, ...]) -> None:
    _, conditions, seen, verdict, health, message = sample
    item = made(kind, conditions, seen)
    assert judges.kstatus([item])[0].status == verdict
    assert flux(item) == verdict
    assert argo_cd(judges, item) == (health, message)


@pytest.mark.parametrize(("kind", "spec"), [(LINEAR_MODEL, {"frozen": True}), (MODEL_SERVER, {"replicas": 0})])
def test_argo_cd_shows_what_a_person_has_suspended(judges: ModuleType, kind: Kind, spec: Object) -> None:
    """Except if it has failed, which takes precedence."""
    assert argo_cd(judges, made(kind, {"Ready": "True"}, **spec))[0] == "Suspended"
    assert argo_cd(judges, made(kind, {"Ready": "False"}, **spec))[0] == "Suspended"
    assert argo_cd(judges, made(kind, {"Ready": "False", "Stalled": "True"}, **spec))[0] == "Degraded"


# ---- actions ----


def offered(judges: ModuleType, item: Object) -> dict[str, Object]:
    """The actions that are not disabled, each with its settings."""
    actions = yaml.safe_load(ARGO_CD[f"resource.customizations.actions.linplane.dev_{item['kind']}"])
    found: dict[str, Object] = judges.run_lua(actions["discovery.lua"], item)
    assert {entry["name"] for entry in actions["definitions"]} == found.keys()
    return {name: settings for name, settings in found.items() if not settings.get("disabled")}


def as_lua(value: Any) -> Any:
    """Lua has one empty table; Argo CD turns it back into an object if it was one."""
    if isinstance(value, dict):
        return {key: as_lua(item) for key, item in value.items()} or []
    return [as_lua(item) for item in value] if isinstance(value, list) else value


def acted(judges: ModuleType, item: Object, action: str, **parameters: str) -> Object:
    """The spec after an action of Argo CD, which the API server would accept as a change."""
    actions = yaml.safe_load(ARGO_CD[f"resource.customizations.actions.linplane.dev_{item['kind']}"])
    (script,) = [entry["action.lua"] for entry in actions["definitions"] if entry["name"] == action]
    changed: Object = judges.run_lua(script, item, parameters)
    assert as_lua(changed) == as_lua({**item, "spec": changed["spec"]}), "nothing but the spec changes"
    assert load_schemas().validate({**changed, "status": {}}, {**item, "status": {}}) == []
    return cast("Object", changed["spec"])


def test_argo_cd_actions_freeze_and_unfreeze_a_version(judges: ModuleType) -> None:
    weights = {"configMapKeyRef": {"name": "rent", "key": "model.json"}}
    item = made(LINEAR_MODEL, weights=weights)
    assert offered(judges, item).keys() == {"freeze"}
    frozen = acted(judges, item, "freeze")
    assert frozen == {**item["spec"], "frozen": True}
    assert offered(judges, {**item, "spec": frozen}).keys() == {"unfreeze"}
    assert acted(judges, {**item, "spec": frozen}, "unfreeze") == item["spec"]


def test_argo_cd_action_promotes_a_candidate_in_one_change(judges: ModuleType) -> None:
    """The candidate becomes current and leaves the split: a split must not name the current version."""
    v2, v3 = {"version": "v2", "percent": 10}, {"version": "v3", "percent": "2.5"}
    one, two, none = (made(MODEL_ROUTE, **spec) for spec in ({"split": [v2]}, {"split": [v2, v3]}, {}))
    assert offered(judges, none) == {}
    assert offered(judges, one).keys() == {"promote", "end-test"}
    assert offered(judges, two)["promote"]["params"] == [{"name": "version", "default": "v2"}]
    assert acted(judges, one, "promote") == {"model": "rent", "version": "v2"}
    assert acted(judges, two, "promote", version="v3") == {"model": "rent", "version": "v3", "split": [v2]}
    assert acted(judges, two, "end-test") == {"model": "rent", "version": "v1"}
    for wrong in ("v1", "v9"):
        with pytest.raises(judges.JudgeError, match=f"no candidate of this route is called {wrong}"):
            acted(judges, two, "promote", version=wrong)


def test_argo_cd_action_undoes_the_last_change_of_a_route(judges: ModuleType) -> None:
    """It restores version and split together, from status.undo."""
    item = made(MODEL_ROUTE, split=[{"version": "v2", "percent": 10}])
    before = {"version": "v2", "at": "2026-01-01T00:00:00Z"}
    for split in ({}, {"split": [{"version": "v3", "percent": "2.5"}]}):
        item["status"]["undo"] = before | split
        assert "undo" in offered(judges, item)
        assert acted(judges, item, "undo") == {"model": "rent", "version": "v2", **split}
    del item["status"]["undo"]
    with pytest.raises(judges.JudgeError, match="nothing to undo"):
        acted(judges, item, "undo")


def test_argo_cd_action_scales_a_server(judges: ModuleType) -> None:
    item = made(MODEL_SERVER)
    assert offered(judges, item)["scale"]["params"] == [{"name": "replicas", "default": "2"}]
    assert acted(judges, item, "scale", replicas="5") == {"replicas": 5}
    for wrong in ("", "many", "-1", "1.5"):
        with pytest.raises(judges.JudgeError, match="replicas must be a whole number"):
            acted(judges, item, "scale", replicas=wrong)
