"""The admission policies, each in a case that it refuses and one that it allows. No operator runs: the API server
alone enforces them.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.client import ApiError, Client
from cluster.controlplane import ControlPlane
from cluster.kinds import NAMESPACE, POLICY, POLICY_BINDING
from integration.cluster.conftest import POLICIES, Deny
from integration.cluster.objects import config_map, model_server, route, version
from linplane_api.kinds import CONFIG_MAP, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER
from support import eventually

pytestmark = pytest.mark.usefixtures("policies")
Object = dict[str, Any]

IN_USE = "version {} is in use by route {}: delete or switch the route first"
SERVER_IN_USE = (
    "ModelServer {} is in use by route {}: its pods go with it, and nothing answers for this route until new pods do"
)
FREEZE = "version {} is the current version of route {}: its share of the requests gets 503 until the route is switched"
STILL_SERVED = (
    "route iris still serves version v1, for its switch to v2 is not in effect yet: "
    "this share of the requests gets 503 until it is"
)


def _warning(policy: str, text: str) -> str:
    return f"Validation failed for ValidatingAdmissionPolicy '{policy}' with binding '{policy}': {text}"


def _delete_warnings(admin: Client, namespace: str, name: str) -> list[str]:
    """The warnings of a dry run that deletes a version."""
    admin.delete(LINEAR_MODEL, name, namespace, dryRun="All")
    return admin.warnings


def _freeze_warnings(admin: Client, namespace: str, name: str) -> list[str]:
    admin.patch(LINEAR_MODEL, name, {"spec": {"frozen": True}}, namespace, dryRun="All")
    return admin.warnings


def _is_deny_in_force(admin: Client, namespace: str, name: str) -> bool:
    try:
        admin.delete(LINEAR_MODEL, name, namespace, dryRun="All")
    except ApiError as error:
        return "denied request" in error.message
    return False


def _store(admin: Client, namespace: str, *bodies: Object) -> None:
    for body in bodies:
        admin.create(body, namespace)


def _in_use(admin: Client, namespace: str) -> None:
    """Route iris names iris-v1 and iris-v2, not iris-v3; waits until the policies see it."""
    _store(admin, namespace, version("v1"), version("v2"), version("v3"), route("v1", "v2"))
    eventually(lambda: _delete_warnings(admin, namespace, "iris-v1"))


@pytest.mark.parametrize("name", POLICIES)
def test_policy_passes_the_type_check_of_the_api_server(admin: Client, name: str) -> None:
    eventually(lambda: admin.get(POLICY, name).get("status", {}).get("observedGeneration"), timeout=20)
    policy, binding = admin.get(POLICY, name), admin.get(POLICY_BINDING, name)
    assert policy["status"]["typeChecking"] == {}
    assert binding["spec"]["policyName"] == name
    for body in (policy, binding):
        assert body["metadata"]["labels"]["app.kubernetes.io/name"] == "linplane"


# ---- a version in use ----


def test_deleting_a_version_in_use_warns_and_deletes(control_plane: ControlPlane, namespace: str) -> None:
    admin = control_plane.admin
    _in_use(admin, namespace)
    mark = control_plane.audit.mark()
    for name in ("v1", "v2"):
        admin.delete(LINEAR_MODEL, f"iris-{name}", namespace)
        assert admin.warnings == [_warning("linplane-version-in-use", IN_USE.format(name, "iris"))]
    assert [body["spec"]["version"] for body in admin.list(LINEAR_MODEL, namespace)] == ["v3"]
    event = control_plane.audit.wait_for(mark, verb="delete", objectRef__name="iris-v1", objectRef__namespace=namespace)
    assert "linplane-version-in-use" in event["annotations"]["validation.policy.admission.k8s.io/validation_failure"]


def test_deleting_a_version_that_no_route_names_says_nothing(
    admin: Client, namespace: str, make_namespace: Any
) -> None:
    elsewhere = make_namespace()
    _in_use(admin, namespace)
    _store(admin, namespace, version("v1", "rose"))
    _store(admin, elsewhere, version("v1"))
    for where, name in ((namespace, "iris-v3"), (namespace, "rose-v1"), (elsewhere, "iris-v1")):
        admin.delete(LINEAR_MODEL, name, where)
        assert admin.warnings == []
        assert admin.find(LINEAR_MODEL, name, where) is None


def test_deletion_of_a_version_in_use_warns_for_each_route(admin: Client, namespace: str) -> None:
    _in_use(admin, namespace)
    _store(admin, namespace, route("v3", "v1", name="rose", model="iris"))
    eventually(lambda: len(_delete_warnings(admin, namespace, "iris-v1")) == 2)
    expected = [_warning("linplane-version-in-use", IN_USE.format("v1", name)) for name in ("iris", "rose")]
    assert sorted(_delete_warnings(admin, namespace, "iris-v1")) == expected


def test_switched_route_no_longer_uses_its_old_version(admin: Client, namespace: str) -> None:
    _in_use(admin, namespace)
    admin.patch(MODEL_ROUTE, "iris", {"spec": {"version": "v3", "split": None}}, namespace)
    eventually(lambda: _delete_warnings(admin, namespace, "iris-v1") == [])
    assert _delete_warnings(admin, namespace, "iris-v2") == []
    assert _delete_warnings(admin, namespace, "iris-v3") != []


def test_terminating_route_uses_no_version(admin: Client, namespace: str) -> None:
    _in_use(admin, namespace)
    admin.patch(MODEL_ROUTE, "iris", {"metadata": {"finalizers": ["example.com/slow"]}}, namespace)
    admin.delete(MODEL_ROUTE, "iris", namespace)
    eventually(lambda: _delete_warnings(admin, namespace, "iris-v1") == [])
    assert admin.get(MODEL_ROUTE, "iris", namespace)["metadata"]["deletionTimestamp"]
    admin.patch(MODEL_ROUTE, "iris", {"metadata": {"finalizers": None}}, namespace)


def test_deny_setting_refuses_deletion_of_a_version_in_use(admin: Client, namespace: str, deny: Deny) -> None:
    _in_use(admin, namespace)
    deny(namespace)
    eventually(lambda: _is_deny_in_force(admin, namespace, "iris-v1"))
    for name in ("v1", "v2"):
        with pytest.raises(ApiError, match=IN_USE.format(name, "iris")):
            admin.delete(LINEAR_MODEL, f"iris-{name}", namespace)
    with pytest.raises(ApiError, match="is in use"):
        admin.delete_all(LINEAR_MODEL, namespace)
    assert {"v1", "v2"} <= {body["spec"]["version"] for body in admin.list(LINEAR_MODEL, namespace)}
    admin.delete(MODEL_ROUTE, "iris", namespace)
    eventually(lambda: not _is_deny_in_force(admin, namespace, "iris-v1"))
    admin.delete_all(LINEAR_MODEL, namespace)
    assert admin.list(LINEAR_MODEL, namespace) == []


def test_deny_setting_allows_deletion_of_a_version_not_in_use(admin: Client, namespace: str, deny: Deny) -> None:
    _in_use(admin, namespace)
    deny(namespace)
    eventually(lambda: _is_deny_in_force(admin, namespace, "iris-v1"))
    admin.delete(LINEAR_MODEL, "iris-v3", namespace)
    assert admin.find(LINEAR_MODEL, "iris-v3", namespace) is None


def _file(folder: Path, *bodies: Object) -> str:
    file = folder / "all.yaml"
    file.write_text(yaml.safe_dump_all(bodies))
    return str(file)


def test_kubectl_delete_with_the_route_first_is_not_stopped(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    admin = control_plane.admin
    _in_use(admin, namespace)
    file = _file(tmp_path, route("v1", "v2"), version("v1"), version("v2"), version("v3"))
    done = control_plane.kubectl("delete", "-n", namespace, "-f", file)
    assert done.stdout.count(" deleted") == 4
    assert admin.list(LINEAR_MODEL, namespace) == admin.list(MODEL_ROUTE, namespace) == []


def test_deny_setting_allows_kubectl_delete_with_the_route_first(
    control_plane: ControlPlane, namespace: str, tmp_path: Path, deny: Deny
) -> None:
    """A policy sees the deletion of a route some milliseconds later; a refused request succeeds when repeated."""
    admin = control_plane.admin
    _in_use(admin, namespace)
    deny(namespace)
    eventually(lambda: _is_deny_in_force(admin, namespace, "iris-v1"))
    arguments = ("delete", "--ignore-not-found", "-n", namespace, "-f")
    file = _file(tmp_path, route("v1", "v2"), version("v1"), version("v2"), version("v3"))
    eventually(lambda: control_plane.kubectl(*arguments, file), timeout=2)
    assert admin.list(LINEAR_MODEL, namespace) == admin.list(MODEL_ROUTE, namespace) == []


def test_kubectl_delete_with_the_models_first_warns_and_deletes(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    admin = control_plane.admin
    _in_use(admin, namespace)
    file = _file(tmp_path, version("v1"), version("v2"), version("v3"), route("v1", "v2"))
    done = control_plane.kubectl("delete", "-n", namespace, "-f", file)
    lines = [f"Warning: {_warning('linplane-version-in-use', IN_USE.format(name, 'iris'))}" for name in ("v1", "v2")]
    assert done.stderr.splitlines() == lines
    assert done.stdout.count(" deleted") == 4
    assert admin.list(LINEAR_MODEL, namespace) == admin.list(MODEL_ROUTE, namespace) == []


def test_namespace_with_versions_in_use_is_deleted_within_seconds(admin: Client, namespace: str, deny: Deny) -> None:
    """Users may do so too: in a terminating namespace the policy does not apply."""
    _in_use(admin, namespace)
    deny(namespace)
    eventually(lambda: _is_deny_in_force(admin, namespace, "iris-v1"))
    admin.delete(NAMESPACE, namespace)
    eventually(lambda: not _is_deny_in_force(admin, namespace, "iris-v1"), timeout=3)
    assert _delete_warnings(admin, namespace, "iris-v1") == []
    assert _freeze_warnings(admin, namespace, "iris-v1") == []
    assert "deletionTimestamp" not in admin.get(MODEL_ROUTE, "iris", namespace)["metadata"]  # the route still exists
    admin.delete(LINEAR_MODEL, "iris-v1", namespace)
    assert admin.warnings == []
    eventually(lambda: admin.find(NAMESPACE, namespace) is None, timeout=20)


def test_garbage_collector_may_delete_a_version_in_use(control_plane: ControlPlane, namespace: str, deny: Deny) -> None:
    admin = control_plane.admin
    owner = admin.create(config_map("owner"), namespace)
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    owned = version("v1")
    owned["metadata"]["ownerReferences"] = [reference]
    _store(admin, namespace, owned, route("v1"))
    deny(namespace)
    eventually(lambda: _is_deny_in_force(admin, namespace, "iris-v1"))
    mark = control_plane.audit.mark()
    admin.delete(CONFIG_MAP, "owner", namespace, "Background")
    eventually(lambda: admin.find(LINEAR_MODEL, "iris-v1", namespace) is None, timeout=20)
    event = control_plane.audit.wait_for(mark, verb="delete", objectRef__name="iris-v1", objectRef__namespace=namespace)
    assert event["user"]["username"] == "system:serviceaccount:kube-system:generic-garbage-collector"
    assert admin.find(MODEL_ROUTE, "iris", namespace) is not None


# ---- a ModelServer in use ----


def test_deleting_a_server_in_use_warns_once_for_each_route(admin: Client, namespace: str) -> None:
    """It warns whatever the route's version is; not for a server that no route names, or that of the chart's test."""
    _store(admin, namespace, *(model_server(name) for name in ("default", "blue", "helm-test")))
    _store(
        admin, namespace, route("v1"), _on(route("v1", name="rose"), "blue"), _on(route("v1", name="t"), "helm-test")
    )

    def warnings(name: str) -> list[str]:
        admin.delete(MODEL_SERVER, name, namespace, dryRun="All")
        return admin.warnings

    eventually(lambda: warnings("blue"))
    for name, user in (("default", "iris"), ("blue", "rose")):
        assert warnings(name) == [_warning("linplane-server-in-use", SERVER_IN_USE.format(name, user))]
    assert warnings("helm-test") == []
    admin.delete(MODEL_ROUTE, "rose", namespace)
    eventually(lambda: warnings("blue") == [])


def _on(body: Object, server: str) -> Object:
    return {**body, "spec": {**body["spec"], "serverName": server}}


# ---- freezing the current version ----


def test_freezing_the_current_version_warns_and_freezes(admin: Client, namespace: str) -> None:
    _in_use(admin, namespace)
    eventually(lambda: _freeze_warnings(admin, namespace, "iris-v1"))
    frozen = admin.patch(LINEAR_MODEL, "iris-v1", {"spec": {"frozen": True}}, namespace)
    assert admin.warnings == [_warning("linplane-freeze-current", FREEZE.format("v1", "iris"))]
    assert frozen["spec"]["frozen"] is True


def test_version_changes_other_than_freezing_give_no_warning(admin: Client, namespace: str) -> None:
    _in_use(admin, namespace)
    eventually(lambda: _freeze_warnings(admin, namespace, "iris-v1"))
    for name in ("iris-v2", "iris-v3"):  # a candidate's share goes to the current version
        admin.patch(LINEAR_MODEL, name, {"spec": {"frozen": True}}, namespace)
        assert admin.warnings == []
    admin.patch(LINEAR_MODEL, "iris-v1", {"spec": {"acceptance": {"minR2": "0.5"}}}, namespace)
    assert admin.warnings == []
    admin.patch(LINEAR_MODEL, "iris-v1", {"spec": {"frozen": True}}, namespace)
    assert admin.warnings != []
    admin.patch(LINEAR_MODEL, "iris-v1", {"metadata": {"labels": {"a": "b"}}}, namespace)
    assert admin.warnings == []
    admin.patch(LINEAR_MODEL, "iris-v1", {"spec": {"frozen": False}}, namespace)
    assert admin.warnings == []


def test_freezing_a_version_that_is_still_served_warns_of_the_switch_that_waits(admin: Client, namespace: str) -> None:
    """The spec has switched and the status has not yet, as with a new version that is not Ready."""
    _in_use(admin, namespace)
    admin.patch(MODEL_ROUTE, "iris", {"status": {"version": "v1"}}, namespace, "status")
    admin.patch(MODEL_ROUTE, "iris", {"spec": {"version": "v2", "split": None}}, namespace)
    waits = [_warning("linplane-freeze-current", STILL_SERVED)]
    eventually(lambda: _freeze_warnings(admin, namespace, "iris-v1") == waits)
    admin.patch(MODEL_ROUTE, "iris", {"status": {"version": "v2"}}, namespace, "status")
    eventually(lambda: _freeze_warnings(admin, namespace, "iris-v1") == [])
    assert _freeze_warnings(admin, namespace, "iris-v2") == [
        _warning("linplane-freeze-current", FREEZE.format("v2", "iris"))
    ]


def test_terminating_route_has_no_current_version(admin: Client, namespace: str) -> None:
    _in_use(admin, namespace)
    eventually(lambda: _freeze_warnings(admin, namespace, "iris-v1"))
    admin.patch(MODEL_ROUTE, "iris", {"metadata": {"finalizers": ["example.com/slow"]}}, namespace)
    admin.delete(MODEL_ROUTE, "iris", namespace)
    eventually(lambda: _freeze_warnings(admin, namespace, "iris-v1") == [])
    admin.patch(MODEL_ROUTE, "iris", {"metadata": {"finalizers": None}}, namespace)
