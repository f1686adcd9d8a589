"""Fixtures: policies that are known to be in force."""

import copy
from collections.abc import Callable, Iterator

import pytest

from cluster.client import ApiError, Client
from cluster.controlplane import ControlPlane
from cluster.kinds import POLICY_BINDING
from integration.cluster.objects import config_map, model_server, report, route, version
from linplane_api.kinds import LINEAR_MODEL, MODEL_SERVER
from support import eventually

Deny = Callable[[str], None]
POLICIES = (
    "linplane-version-in-use",
    "linplane-server-in-use",
    "linplane-freeze-current",
    "linplane-own-report",
    "linplane-own-result",
)


@pytest.fixture(scope="session")
def policies(control_plane: ControlPlane) -> None:
    """Waits until each policy refuses something: a new one is in force after a second or two."""
    admin, namespace = control_plane.admin, "policies-in-force"
    admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    admin.create(version("v1"), namespace)
    admin.create(route("v1"), namespace)
    admin.create(model_server(), namespace)
    accounts = f"system:serviceaccount:{namespace}"
    server = admin.impersonating(f"{accounts}:linplane-server-default", ["system:masters"])
    trainer = admin.impersonating(f"{accounts}:linplane-trainer", ["system:masters"])
    eventually(lambda: _warns(admin, lambda: admin.delete(MODEL_SERVER, "default", namespace, dryRun="All")))
    freeze = {"spec": {"frozen": True}}
    eventually(lambda: _warns(admin, lambda: admin.delete(LINEAR_MODEL, "iris-v1", namespace, dryRun="All")))
    eventually(lambda: _warns(admin, lambda: admin.patch(LINEAR_MODEL, "iris-v1", freeze, namespace, dryRun="All")))
    eventually(lambda: _is_refused(lambda: server.create(report("any", "any"), namespace, dryRun="All")))
    eventually(lambda: _is_refused(lambda: trainer.create(config_map("any"), namespace, dryRun="All")))


@pytest.fixture
def deny(admin: Client, policies: None) -> Iterator[Deny]:
    """Denies deletion of a version in use in one namespace: a copy of the shipped binding with another action."""
    made = []

    def make(namespace: str) -> None:
        shipped = admin.get(POLICY_BINDING, "linplane-version-in-use")
        spec = copy.deepcopy(shipped["spec"]) | {"validationActions": ["Deny"]}
        spec["matchResources"] = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
        body = {key: shipped[key] for key in ("apiVersion", "kind")}
        name = f"refuse-in-{namespace}"
        admin.create({**body, "metadata": {"name": name}, "spec": spec})
        made.append(name)

    yield make
    for name in made:
        admin.delete(POLICY_BINDING, name)


def _warns(admin: Client, call: Callable[[], object]) -> bool:
    call()
    return bool(admin.warnings)


def _is_refused(call: Callable[[], object]) -> bool:
    try:
        call()
    except ApiError as error:
        return error.code == 403 and "ValidatingAdmissionPolicy" in error.message
    return False
