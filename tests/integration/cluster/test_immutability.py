"""Immutable fields stay, whatever the kind of write; a recreated object is a new object, and a new version."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from cluster.client import ApiError, Client
from cluster.controlplane import ControlPlane
from cluster.kinds import KINDS
from integration.cluster.objects import DIGEST, config_map, version
from linplane_api.kinds import CONFIG_MAP, LINEAR_MODEL, Kind
from support import eventually

Object = dict[str, Any]
Way = Callable[[Client, str, Object, Object], Object]

UNSEEN = {"observedGeneration": 0}
TRAINING = {"data": {"uri": "https://example.com/iris.csv"}, "target": "width"}
OTHER_TRAINING = {**TRAINING, "seed": 7}
OTHER_WEIGHTS = {"configMapKeyRef": {"name": "other", "key": "model.json"}}


def _kind(body: Object) -> Kind:
    return KINDS[body["apiVersion"], body["kind"]]


def _name(body: Object) -> str:
    return str(body["metadata"]["name"])


def _fields(before: Object, after: Object) -> list[str]:
    """Top-level fields that differ."""
    return [
        key for key in {**before, **after} if key not in ("metadata", "status") and before.get(key) != after.get(key)
    ]


def _put(client: Client, namespace: str, before: Object, after: Object) -> Object:
    return client.replace({**after, **({"status": {"job": "x"}} if "status" in before else {})}, namespace)


def _put_without_status(client: Client, namespace: str, before: Object, after: Object) -> Object:
    return client.replace({key: value for key, value in after.items() if key != "status"}, namespace)


def _merge(client: Client, namespace: str, before: Object, after: Object) -> Object:
    return client.patch(_kind(before), _name(before), _whole(before, after), namespace)


def _merge_with_status(client: Client, namespace: str, before: Object, after: Object) -> Object:
    return client.patch(_kind(before), _name(before), {**_whole(before, after), "status": None}, namespace)


def _json(client: Client, namespace: str, before: Object, after: Object) -> Object:
    return client.patch(_kind(before), _name(before), _steps(before, after), namespace)


def _json_with_status(client: Client, namespace: str, before: Object, after: Object) -> Object:
    removal = [{"op": "remove", "path": "/status"}] if "status" in before else []
    return client.patch(_kind(before), _name(before), [*removal, *_steps(before, after)], namespace)


def _apply_by_another(client: Client, namespace: str, before: Object, after: Object) -> Object:
    return client.apply(_bare(after), namespace, "another", force=True)


def _apply_by_the_same(client: Client, namespace: str, before: Object, after: Object) -> Object:
    return client.apply(_bare(after), namespace, force=True)


def _whole(before: Object, after: Object) -> Object:
    """A merge patch that replaces the fields that differ instead of merging them."""
    change: Object = {}
    for key in _fields(before, after):
        old, new = before.get(key), after.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            change[key] = {**dict.fromkeys(old), **new}
        else:
            change[key] = new
    return change


def _steps(before: Object, after: Object) -> list[Object]:
    return [
        {"op": "add", "path": f"/{key}", "value": after[key]} if key in after else {"op": "remove", "path": f"/{key}"}
        for key in _fields(before, after)
    ]


def _bare(after: Object) -> Object:
    return {**{key: value for key, value in after.items() if key != "status"}, "metadata": {"name": _name(after)}}


WAYS: tuple[Way, ...] = (
    *(_put, _put_without_status, _merge, _merge_with_status, _json, _json_with_status),
    *(_apply_by_another, _apply_by_the_same),
)
every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__.strip("_"))


def _stored(admin: Client, namespace: str, body: Object, digest: str | None = None) -> Object:
    stored = admin.apply(body, namespace)
    if digest:
        stored = admin.patch(LINEAR_MODEL, _name(body), {"status": {"digest": digest}}, namespace, "status")
    return stored


def _is_refused(admin: Client, namespace: str, way: Way, before: Object, spec: Object, field: str) -> None:
    with pytest.raises(ApiError) as refused:
        way(admin, namespace, before, {**before, "spec": spec})
    assert refused.value.code == 422
    assert field in [name for name, _ in refused.value.causes], refused.value
    assert admin.get(LINEAR_MODEL, _name(before), namespace) == before


# ---- a frozen version ----


@every_way
@pytest.mark.parametrize("change", ["weights", "weights to training", "acceptance", "unfreezing with it"])
def test_frozen_version_keeps_its_spec(admin: Client, namespace: str, way: Way, change: str) -> None:
    before = _stored(admin, namespace, version("v1", frozen=True))
    spec: Object = dict(before["spec"])
    if change == "weights to training":
        del spec["weights"]
        spec["training"] = TRAINING
    elif change == "acceptance":
        spec["acceptance"] = {"minR2": "0.5"}
    else:
        spec["weights"] = OTHER_WEIGHTS
    if change == "unfreezing with it":
        spec["frozen"] = False
    if change == "weights to training" and way is _apply_by_another:  # it cannot remove fields of other managers
        _is_refused(admin, namespace, way, before, spec, "spec.training")
    else:
        _is_refused(admin, namespace, way, before, spec, "spec.frozen")


@every_way
def test_frozen_version_can_be_unfrozen(admin: Client, namespace: str, way: Way) -> None:
    before = _stored(admin, namespace, version("v1", frozen=True), DIGEST)
    after = way(admin, namespace, before, {**before, "spec": {**before["spec"], "frozen": False}})
    assert after["spec"]["frozen"] is False
    assert after["status"] == before["status"]


# ---- a trained version ----


@every_way
def test_trained_version_keeps_its_training(admin: Client, namespace: str, way: Way) -> None:
    before = _stored(admin, namespace, version("v1", training=TRAINING), DIGEST)
    spec = {**before["spec"], "training": {**before["spec"]["training"], "seed": 7}}
    _is_refused(admin, namespace, way, before, spec, "spec.training")


@every_way
def test_version_with_weights_keeps_them(admin: Client, namespace: str, way: Way) -> None:
    before = _stored(admin, namespace, version("v1"), DIGEST)
    _is_refused(admin, namespace, way, before, {**before["spec"], "weights": OTHER_WEIGHTS}, "spec.weights")


@pytest.mark.parametrize(
    "way", [w for w in WAYS if w is not _apply_by_another], ids=lambda way: way.__name__.strip("_")
)
def test_trained_version_cannot_change_to_weights(admin: Client, namespace: str, way: Way) -> None:
    before = _stored(admin, namespace, version("v1", training=TRAINING), DIGEST)
    spec = {"model": "iris", "version": "v1", "weights": OTHER_WEIGHTS}
    _is_refused(admin, namespace, way, before, spec, "spec.weights")


@every_way
def test_training_can_change_before_the_version_has_an_artifact(admin: Client, namespace: str, way: Way) -> None:
    """The refusals above are therefore due to the digest."""
    before = _stored(admin, namespace, version("v1", training=TRAINING))
    after = way(admin, namespace, before, {**before, "spec": {**before["spec"], "training": OTHER_TRAINING}})
    assert after["spec"]["training"]["seed"] == 7


def test_spec_sent_to_the_status_subresource_is_ignored(admin: Client, namespace: str) -> None:
    before = _stored(admin, namespace, version("v1", training=TRAINING), DIGEST)
    spec = {**before["spec"], "training": OTHER_TRAINING}
    admin.replace({**before, "spec": spec}, namespace, "status")
    admin.patch(LINEAR_MODEL, "iris-v1", {"spec": spec}, namespace, "status")
    after = admin.get(LINEAR_MODEL, "iris-v1", namespace)
    assert (after["spec"], after["metadata"]["generation"]) == (before["spec"], before["metadata"]["generation"])


def test_status_sent_with_a_spec_is_ignored(admin: Client, namespace: str) -> None:
    created = admin.create({**version("v1"), "status": {"digest": DIGEST}}, namespace)
    assert created["status"] == UNSEEN
    before = _stored(admin, namespace, version("v2"), DIGEST)
    admin.patch(LINEAR_MODEL, "iris-v2", {"spec": {"frozen": True}, "status": None}, namespace)
    assert admin.get(LINEAR_MODEL, "iris-v2", namespace)["status"] == before["status"]


# ---- with kubectl ----


def test_kubectl_replace_force_makes_a_new_version(control_plane: ControlPlane, namespace: str) -> None:
    admin = control_plane.admin
    before = _stored(admin, namespace, version("v1", training=TRAINING, frozen=True), DIGEST)
    changed = _manifest(version("v1", training=OTHER_TRAINING, frozen=True))
    for arguments in (["replace"], ["apply"], ["apply", "--server-side", "--force-conflicts"]):
        done = control_plane.kubectl(*arguments, "-n", namespace, "-f", "-", stdin=changed, check=False)
        assert done.returncode != 0
        assert "spec.training" in done.stderr
        assert admin.get(LINEAR_MODEL, "iris-v1", namespace)["spec"] == before["spec"]
    control_plane.kubectl("replace", "--force", "-n", namespace, "-f", "-", stdin=changed)
    after = admin.get(LINEAR_MODEL, "iris-v1", namespace)
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["spec"]["training"]["seed"] == 7
    assert after["status"] == UNSEEN


def _manifest(body: Object) -> str:
    return json.dumps(body)


# ---- a sealed ConfigMap ----


@every_way
@pytest.mark.parametrize("change", ["data", "binaryData", "immutable", "immutable and data"])
def test_immutable_config_map_keeps_its_data(admin: Client, namespace: str, way: Way, change: str) -> None:
    before = admin.apply({**config_map("linplane-iris-0", **{"model.json": "{}"}), "immutable": True}, namespace)
    after = {**before}
    if "data" in change.split():
        after["data"] = {"model.json": '{"intercept": 1}'}
    if change == "binaryData":
        after["binaryData"] = {"more": "AAAA"}
    if "immutable" in change:
        after["immutable"] = False
    with pytest.raises(ApiError) as refused:
        way(admin, namespace, before, after)
    assert refused.value.code == 422
    assert "field is immutable when `immutable` is set" in refused.value.message
    assert admin.get(CONFIG_MAP, "linplane-iris-0", namespace) == before


def test_recreated_config_map_has_another_uid(admin: Client, namespace: str) -> None:
    body = {**config_map("linplane-iris-0", **{"model.json": "{}"}), "immutable": True}
    before = admin.create(body, namespace)
    admin.delete(CONFIG_MAP, "linplane-iris-0", namespace)
    eventually(lambda: admin.find(CONFIG_MAP, "linplane-iris-0", namespace) is None)
    assert admin.create(body, namespace)["metadata"]["uid"] != before["metadata"]["uid"]
