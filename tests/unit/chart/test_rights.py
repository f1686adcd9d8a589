"""Permissions: one table of everything that is granted, so that an added permission is visible in review."""

from typing import Any

import pytest

from chart import matrix
from linplane_operator.compile.rbac import make_server_access, make_trainer_access
from linplane_operator.kube import permissions
from unit.chart import made
from unit.operator.planning import model

Object = dict[str, Any]
ESCALATING = {
    ("", "secrets"): {"get", "list", "watch"},
    ("", "pods"): {"create", "patch", "update"},
    ("", "pods/exec"): {"create", "get"},
    ("", "pods/ephemeralcontainers"): {"patch", "update"},
    ("", "nodes/proxy"): {"get", "create"},
    ("", "serviceaccounts/token"): {"create"},
    ("", "namespaces"): {"patch", "update"},
    ("", "users"): {"impersonate"},
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"): {"create", "patch", "update"},
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"): {"create", "patch", "update"},
}

GOLDEN = """
ClusterRole linplane-operator:
- configmaps: get list watch create patch delete
- pods: get list watch
- serviceaccounts: get list watch create patch
- services: get list watch create patch
- apps/deployments: get list watch create patch
- batch/jobs: get list watch create patch delete
- events.k8s.io/events: create list
- linplane.dev/linearmodels: get list watch
- linplane.dev/linearmodels/status: patch
- linplane.dev/modelroutes: get list watch
- linplane.dev/modelroutes/status: patch
- linplane.dev/modelservers: get list watch create patch
- linplane.dev/modelservers/status: patch
- linplane.dev/replicareports: get list watch delete create patch
- policy/poddisruptionbudgets: get list watch create patch
- rbac.authorization.k8s.io/rolebindings: get create patch
- rbac.authorization.k8s.io/roles: get create patch
Role linplane-server-default:
- configmaps [linplane-routing-default]: get watch
- linplane.dev/replicareports: create patch
Role linplane-trainer:
- configmaps [linplane-house-v1-0123456789]: patch
ClusterRole linplane-view:
- linplane.dev/linearmodels: get list watch
- linplane.dev/modelroutes: get list watch
- linplane.dev/modelservers: get list watch
- linplane.dev/replicareports: get list watch
- linplane.dev/modelservers/scale: get
ClusterRole linplane-edit:
- linplane.dev/linearmodels: create update patch delete deletecollection
- linplane.dev/modelroutes: create update patch delete deletecollection
- linplane.dev/modelservers: create update patch delete deletecollection
- linplane.dev/modelservers/scale: update patch
ClusterRole linplane-admin:
- linplane.dev/replicareports: delete deletecollection
ClusterRole linplane-route-editor:
- linplane.dev/linearmodels: get list watch
- linplane.dev/modelroutes: get list watch
- linplane.dev/modelservers: get list watch
- linplane.dev/replicareports: get list watch
- linplane.dev/modelroutes: create update patch delete deletecollection
"""


def granted(role: Object) -> list[str]:
    lines = []
    for rule in role["rules"]:
        only = f" [{' '.join(rule['resourceNames'])}]" if "resourceNames" in rule else ""
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                name = f"{group}/{resource}" if group else resource
                lines.append(f"{name}{only}: {' '.join(rule['verbs'])}")
    return lines


def roles() -> list[Object]:
    """All roles: those that the operator creates, those for users, and the operator's own."""
    results = ["linplane-house-v1-0123456789"]
    bodies = [*make_server_access(made.SERVER), *make_trainer_access("team", [model()], results)]
    bodies += matrix.rendered("default")
    return [body for body in bodies if body["kind"] in ("Role", "ClusterRole")]


def test_permissions_are_those_of_the_table() -> None:
    found = {f"{body['kind']} {body['metadata']['name']}": granted(body) for body in roles()}
    assert found == yaml_table(GOLDEN)


def yaml_table(text: str) -> dict[str, list[str]]:
    table: dict[str, list[str]] = {}
    for line in filter(None, text.splitlines()):
        if line.startswith("- "):
            table[next(reversed(table))].append(line[2:])
        else:
            table[line.removesuffix(":")] = []
    return table


@pytest.mark.parametrize("name", matrix.NAMES)
def test_permissions_cannot_be_escalated(name: str) -> None:
    """S8, S9: no wildcard, and none of the permissions that Kubernetes lists as privilege escalation."""
    bodies = [*roles(), *[b for b in matrix.rendered(name) if b["kind"] in ("Role", "ClusterRole")]]
    for body in bodies:
        for rule in body["rules"]:
            assert "*" not in (*rule["verbs"], *rule["resources"], *rule["apiGroups"])
            assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"])
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    assert not ESCALATING.get((group, resource), set()) & set(rule["verbs"])


def test_granted_permissions_are_held() -> None:
    """RBAC lets a client grant only permissions that it holds, so each rule of the operator's Roles is also its own."""
    held = permissions.held()
    for body in roles():
        if body["kind"] == "Role":
            for rule in body["rules"]:
                for resource in rule["resources"]:
                    assert set(rule["verbs"]) <= set(held[rule["apiGroups"][0], resource])


def test_users_write_no_status() -> None:
    for body in roles():
        if body["metadata"]["name"] != "linplane-operator":
            assert not [resource for rule in body["rules"] for resource in rule["resources"] if "/status" in resource]


AGGREGATED = {
    "linplane-view": {"view", "edit", "admin"},
    "linplane-edit": {"edit", "admin"},
    "linplane-admin": {"admin"},
}


def test_built_in_roles_aggregate_the_kinds() -> None:
    """The right to routes alone is not aggregated."""
    found = {}
    for body in matrix.rendered("default"):
        prefix = "rbac.authorization.k8s.io/aggregate-to-"
        to = {label.removeprefix(prefix) for label in body["metadata"]["labels"] if label.startswith(prefix)}
        if to:
            found[body["metadata"]["name"]] = to
    assert found == AGGREGATED


@pytest.mark.parametrize("name", ["namespaces", "second-release"])
def test_operator_of_some_namespaces_has_no_permission_elsewhere(name: str) -> None:
    bodies = matrix.rendered(name)
    watched = matrix.values(name)["watchNamespaces"]
    assert not [body for body in bodies if body["kind"] == "ClusterRoleBinding"]
    bindings = [body for body in bodies if body["kind"] == "RoleBinding"]
    assert [body["metadata"]["namespace"] for body in bindings] == watched
    (deployment,) = [body for body in bodies if body["kind"] == "Deployment"]
    args = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    assert [arg for arg in args if arg.startswith("--namespace=")] == [f"--namespace={each}" for each in watched]


def test_permissions_are_omitted_if_rbac_is_off() -> None:
    kinds = {body["kind"] for body in matrix.rendered("no-rbac")}
    assert not kinds & {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "ServiceAccount"}
