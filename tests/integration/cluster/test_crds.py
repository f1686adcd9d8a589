"""The CRDs on a real API server: the objects it accepts and refuses, and that local mode agrees."""

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest

from cluster.client import ApiError, Client
from cluster.controlplane import ControlPlane
from cluster.kinds import CRD, KINDS
from integration.cluster.objects import DIGEST, route, version
from linplane_api.kinds import LINEAR_MODEL, MODEL_SERVER, OURS, REPLICA_REPORT, Kind
from linplane_api.manifests.validation import Problem, load_schemas
from linplane_api.names import API_VERSION
from unit.api.crd_walk import ROOT
from unit.api.objects import INVALID, Refusal, accepted, is_said_by, refusal

Object = dict[str, Any]
SCHEMAS = load_schemas()
ACCEPTED = accepted()
EXAMPLES = sorted(path.parent for path in (ROOT / "manifests/examples").glob("*/README.md"))
WAYS = ("put", "merge", "json", "apply")
# a base object of each kind, for the manifests that have none
BASES: dict[str, Object] = {
    "LinearModel": version("v1")["spec"],
    "ModelRoute": route("v1")["spec"],
    "ModelServer": {},
    "ReplicaReport": {
        "serverName": "default",
        "podUID": "u",
        "startedAt": "2026-01-01T00:00:00Z",
        "configMapUID": "",
        "sequence": 0,
        "routes": 0,
    },
}


def _base(new: Object) -> Object:
    """A valid object of the same kind and name."""
    body = "report" if new["kind"] == REPLICA_REPORT.kind else "spec"
    base = {**new, body: copy.deepcopy(BASES[new["kind"]])}
    base.pop("spec" if body == "report" else "", None)
    return base


PATCHABLE = [path for path in INVALID if refusal(path).old or SCHEMAS.validate(_base(refusal(path).new)) == []]


# ---- examples ----


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_example_applies_and_applying_it_again_changes_nothing(
    control_plane: ControlPlane, namespace: str, folder: Any
) -> None:
    first = control_plane.kubectl("apply", "-n", namespace, "-f", str(folder))
    assert first.stderr == ""
    lines = first.stdout.splitlines()
    assert lines
    assert all(line.endswith(" created") for line in lines), lines
    again = control_plane.kubectl("apply", "-n", namespace, "-f", str(folder)).stdout.splitlines()
    assert again == [line.replace(" created", " unchanged") for line in lines]
    stored = [body for kind in OURS for body in control_plane.admin.list(kind, namespace)]
    assert stored
    assert [SCHEMAS.validate(body) for body in stored] == [[] for _ in stored]


# ---- refused ----


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_invalid_manifest_is_refused_as_in_local_mode(admin: Client, namespace: str, path: Any) -> None:
    wrong = refusal(path)
    kind = KINDS[API_VERSION, wrong.new["kind"]]
    before = _store(admin, namespace, wrong.old)
    with pytest.raises(ApiError) as refused:
        admin.create(wrong.new, namespace) if before is None else admin.replace(_put(wrong.new, before), namespace)
    _same_refusal(wrong, refused.value)
    if before is None:
        assert admin.list(kind, namespace) == []
    else:
        assert admin.get(kind, before["metadata"]["name"], namespace) == before


@pytest.mark.parametrize("way", ["merge", "json", "apply"])
@pytest.mark.parametrize("path", PATCHABLE, ids=lambda path: path.stem)
def test_patch_to_an_invalid_object_is_refused(admin: Client, namespace: str, path: Any, way: str) -> None:
    wrong = refusal(path)
    old = wrong.old or _base(wrong.new)
    before = _store(admin, namespace, old)
    with pytest.raises(ApiError) as refused:
        _change(admin, namespace, way, old, wrong.new)
    if way == "apply" and not refused.value.causes:  # a value of the wrong type is refused before it is applied
        assert re.search(r"duplicate entries|field not declared in schema|expected \w+, got", refused.value.message)
    elif not _is_strict_decoding(wrong):  # an apply turns an emptied object into null, which is the fault already
        fields = [field for field, _ in refused.value.causes]
        assert wrong.field in fields or (way == "apply" and wrong.field.rpartition(".")[0] in fields), fields
    kind = KINDS[API_VERSION, wrong.new["kind"]]
    assert admin.get(kind, wrong.new["metadata"]["name"], namespace) == before


def test_rules_of_mutable_fields_are_all_broken_by_a_patch() -> None:
    """Names are immutable."""
    reached = {
        (wrong.new["kind"], problem.message)
        for wrong in map(refusal, PATCHABLE)
        for problem in SCHEMAS.validate(wrong.new, wrong.old or _base(wrong.new))
    }
    missed = [
        rule.message
        for kind in OURS
        for rule in SCHEMAS.rules(kind.kind)
        if rule.field_path != ("metadata", "name")
        and not any(name == kind.kind and is_said_by(rule, message) for name, message in reached)
    ]
    assert missed == []


# ---- accepted ----


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted_object_is_taken_and_stored_as_local_mode_stores_it(
    admin: Client, make_namespace: Any, name: str
) -> None:
    new, old = ACCEPTED[name]
    for way in WAYS if old else ("post", "apply"):
        namespace = make_namespace()
        before = _store(admin, namespace, old)
        stored = admin.create(new, namespace) if way == "post" else _change(admin, namespace, way, old, new, before)
        assert admin.warnings == []
        body = "report" if new["kind"] == REPLICA_REPORT.kind else "spec"
        assert stored[body] == SCHEMAS.with_defaults(new)[body]
        fresh = SCHEMAS.with_defaults({key: value for key, value in new.items() if key != "status"})
        assert stored.get("status") == (before or fresh).get("status")


# ---- columns and texts for users ----


def test_kinds_have_short_names_and_a_category(control_plane: ControlPlane, namespace: str) -> None:
    _stories(control_plane.admin, namespace)
    names = {"lmod": "iris-v1", "mroute": "iris", "mserver": "fast", "mrep": "linplane-server-fast-0"}
    seen = control_plane.kubectl("get", ",".join(names), "-n", namespace, "-o", "name").stdout.split()
    assert [line.split("/")[1] for line in seen] == list(names.values())
    everything = control_plane.kubectl("get", "linplane", "-n", namespace, "-o", "name").stdout.split()
    assert sorted(everything) == sorted(seen)


def test_kubectl_get_prints_the_columns_of_each_kind(control_plane: ControlPlane, namespace: str) -> None:
    _stories(control_plane.admin, namespace)
    for kind in OURS:
        header, line = control_plane.kubectl("get", kind.plural, "-n", namespace).stdout.splitlines()
        shown = [column.name.upper() for column in SCHEMAS.columns(kind.kind) if not column.wide]
        assert header.split() == ["NAME", *shown]
        assert line.split()[0] in ("iris-v1", "iris", "fast", "linplane-server-fast-0")
    (line,) = control_plane.kubectl("get", "lmod", "-n", namespace, "--no-headers").stdout.splitlines()
    assert line.split()[:5] == ["iris-v1", "iris", "v1", "True", "Validated"]


def test_versions_are_selected_by_model(control_plane: ControlPlane, namespace: str) -> None:
    for body in (version("v1"), version("v2"), version("v1", "rose")):
        control_plane.admin.create(body, namespace)
    got = control_plane.kubectl(
        "get", "lmod", "-n", namespace, "-o", "name", "--field-selector", "spec.model=iris,spec.version=v2"
    )
    assert got.stdout.split() == ["linearmodel.linplane.dev/iris-v2"]


def test_kubectl_scales_a_model_server(control_plane: ControlPlane, namespace: str) -> None:
    _stories(control_plane.admin, namespace)
    control_plane.kubectl("scale", "modelserver", "fast", "-n", namespace, "--replicas", "5")
    assert control_plane.admin.get(MODEL_SERVER, "fast", namespace)["spec"]["replicas"] == 5


def test_field_is_explained_by_kubectl(control_plane: ControlPlane) -> None:
    text = control_plane.kubectl("explain", "modelroute.spec.split.percent").stdout
    assert "Share of the users" in text


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.kind)
def test_crd_is_established_without_warnings(admin: Client, kind: Kind) -> None:
    crd = admin.get(CRD, f"{kind.plural}.linplane.dev")
    conditions = {c["type"]: c["status"] for c in crd["status"]["conditions"]}
    assert conditions["NamesAccepted"] == conditions["Established"] == "True"
    assert conditions.get("NonStructuralSchema", "False") == "False"
    admin.apply({key: crd[key] for key in ("apiVersion", "kind", "spec")} | _named(crd), force=True, dryRun="All")
    assert admin.warnings == []


# ---- helpers ----


def _named(body: Object) -> Object:
    return {"metadata": {"name": body["metadata"]["name"]}}


def _is_strict_decoding(wrong: Refusal) -> bool:
    return "unknown field" in wrong.message


def _store(admin: Client, namespace: str, body: Object | None) -> Object | None:
    """Creates an object with its status, and returns it as stored."""
    if body is None:
        return None
    stored = admin.apply(body, namespace)
    if "status" in body:
        kind = KINDS[body["apiVersion"], body["kind"]]
        name = body["metadata"]["name"]
        stored = admin.patch(kind, name, {"status": body["status"]}, namespace, "status")
    return stored


def _put(new: Object, before: Object) -> Object:
    """`new` for a PUT: with the resourceVersion that was read."""
    return {**new, "metadata": {**new["metadata"], "resourceVersion": before["metadata"]["resourceVersion"]}}


def _change(
    admin: Client, namespace: str, way: str, old: Object | None, new: Object, before: Object | None = None
) -> Object:
    """Changes `old` to `new`, or creates `new`, in one of WAYS."""
    if way == "apply":
        return admin.apply(new, namespace, force=True)
    assert old is not None
    if way == "put":
        assert before is not None
        return admin.replace(_put(new, before), namespace)
    kind, name = KINDS[new["apiVersion"], new["kind"]], new["metadata"]["name"]
    change = _merge_patch(old, new) if way == "merge" else list(_json_patch(old, new))
    return admin.patch(kind, name, change, namespace)


def _merge_patch(old: Object, new: Object) -> Object:
    """A merge patch (RFC 7386)."""
    change: Object = {key: None for key in old if key not in new}
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(old.get(key), dict):
            change[key] = _merge_patch(old[key], value)
        elif value != old.get(key):
            change[key] = value
    return change


def _json_patch(old: Object, new: Object) -> Iterator[Object]:
    """A JSON patch (RFC 6902) of whole top-level fields."""
    for key in ("metadata", "spec", "report"):
        if key in new and new[key] != old.get(key):
            for name, value in new[key].items() if key == "metadata" else ():
                yield {"op": "add", "path": f"/metadata/{name}", "value": value}
            if key != "metadata":
                yield {"op": "add", "path": f"/{key}", "value": new[key]}


def _same_refusal(wrong: Refusal, error: ApiError) -> None:
    """Checks that the API server gives local mode's field and message; for rules, all of their messages."""
    if _is_strict_decoding(wrong):
        assert error.code == 400
        assert wrong.message in error.message
        return
    assert error.code == 422
    matching = [text for field, text in error.causes if field == wrong.field and wrong.message in text]
    assert matching, error.causes
    rules = SCHEMAS.rules(wrong.new["kind"])
    problems = SCHEMAS.validate(wrong.new, wrong.old)
    causes = [Problem(field, text.partition(": ")[2].partition(": ")[2]) for field, text in error.causes]
    if all(
        any(is_said_by(rule, problem.message) for rule in rules) for problem in problems
    ):  # else more rules may have been evaluated than in local mode
        assert sorted(map(str, causes)) == sorted(map(str, problems)), error.status


def _stories(admin: Client, namespace: str) -> None:
    """One object of each kind, one with a status."""
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "Validated",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    body = version("v1") | {"status": {"digest": DIGEST, "conditions": [ready]}}
    _store(admin, namespace, body)
    admin.create(route("v1"), namespace)
    for kind, name in ((MODEL_SERVER, "fast"), (REPLICA_REPORT, "linplane-server-fast-0")):
        key = "report" if kind is REPLICA_REPORT else "spec"
        admin.create(
            {"apiVersion": API_VERSION, "kind": kind.kind, "metadata": {"name": name}, key: BASES[kind.kind]}, namespace
        )
    assert admin.get(LINEAR_MODEL, "iris-v1", namespace)["status"]["digest"] == DIGEST
