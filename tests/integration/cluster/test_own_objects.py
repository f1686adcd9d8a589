"""A server writes only its own report, a trainer only the result of its own Job: both are identified by tokens."""

from typing import Any

import pytest

from cluster.client import ApiError, Client
from cluster.controlplane import ControlPlane
from integration.cluster.objects import binding, config_map, pod, report, role
from linplane_api.kinds import CONFIG_MAP, JOB, POD, REPLICA_REPORT
from linplane_api.names import GROUP
from support import eventually

pytestmark = pytest.mark.usefixtures("policies")
Object = dict[str, Any]

SERVER = "linplane-server-default"
TRAINER = "linplane-trainer"
OWN_REPORT = "a server may write only the report of its own pod"
OWN_NAME = "a server may report only as the ModelServer that it belongs to"
WITH_ITS_POD = "a report must go with its pod"
OWN_RESULT = "a trainer may write only the result of its own Job"
ONLY_DATA = "a trainer may write only the data of a result"


def _refused(error: pytest.ExceptionInfo[ApiError], message: str) -> None:
    assert error.value.code == 403
    assert message in error.value.message
    assert "ValidatingAdmissionPolicy" in error.value.message


def _allow(admin: Client, namespace: str, account: str, group: str, resource: str, home: str | None = None) -> None:
    """Grants more than the project does, so that refusals come from a policy."""
    admin.create(role(resource, group, resource, "get", "create", "update", "patch"), namespace)
    admin.create(binding(resource, account, home or namespace), namespace)


# ---- reports ----


@pytest.fixture
def pods(control_plane: ControlPlane, namespace: str) -> dict[str, str]:
    """Two pods of one server, by name with their UIDs; the server has its permissions."""
    admin = control_plane.admin
    _allow(admin, namespace, SERVER, GROUP, "replicareports")
    control_plane.token_for(SERVER, namespace)  # creates the account
    return {
        name: admin.create(pod(name, SERVER), namespace)["metadata"]["uid"]
        for name in (f"{SERVER}-6b7-aaaaa", f"{SERVER}-6b7-bbbbb")
    }


def test_server_writes_its_own_report(control_plane: ControlPlane, namespace: str, pods: dict[str, str]) -> None:
    for name, uid in pods.items():
        server = control_plane.client_for(SERVER, namespace, name)
        server.apply(report(name, uid), namespace)
        body = report(name, uid)
        body["report"]["sequence"] = 7
        server.apply(body, namespace)
        server.patch(REPLICA_REPORT, name, {"report": {"routes": 3}}, namespace)
        stored = control_plane.admin.get(REPLICA_REPORT, name, namespace)["report"]
        assert (stored["sequence"], stored["routes"]) == (7, 3)


def test_server_cannot_write_the_report_of_another_pod(
    control_plane: ControlPlane, namespace: str, pods: dict[str, str]
) -> None:
    (mine, my_uid), (other, other_uid) = pods.items()
    server = control_plane.client_for(SERVER, namespace, mine)
    control_plane.admin.create(report(other, other_uid), namespace)
    for body in (report(other, other_uid), report(other, my_uid), report("any", my_uid), report(mine, other_uid)):
        with pytest.raises(ApiError) as error:
            server.apply(body, namespace, force=True)
        _refused(error, OWN_REPORT)
    with pytest.raises(ApiError) as error:
        server.patch(REPLICA_REPORT, other, {"report": {"sequence": 9}}, namespace)
    _refused(error, OWN_REPORT)
    (stored,) = control_plane.admin.list(REPLICA_REPORT, namespace)
    assert stored["report"]["sequence"] == 0


def test_server_token_without_a_pod_cannot_write_a_report(
    control_plane: ControlPlane, namespace: str, pods: dict[str, str]
) -> None:
    name, uid = next(iter(pods.items()))
    server = control_plane.client_for(SERVER, namespace)
    for body in (report(name, uid), report(name, "none")):
        with pytest.raises(ApiError) as error:
            server.create(body, namespace)
        _refused(error, OWN_REPORT)


def test_server_cannot_report_as_another_model_server(
    control_plane: ControlPlane, namespace: str, pods: dict[str, str]
) -> None:
    name, uid = next(iter(pods.items()))
    server = control_plane.client_for(SERVER, namespace, name)
    with pytest.raises(ApiError) as error:
        server.create(report(name, uid, "fast"), namespace)
    _refused(error, OWN_NAME)


def test_report_cannot_outlive_its_pod(control_plane: ControlPlane, namespace: str, pods: dict[str, str]) -> None:
    name, uid = next(iter(pods.items()))
    server = control_plane.client_for(SERVER, namespace, name)
    lasting, unowned, strangely_owned = (report(name, uid) for _ in range(3))
    lasting["metadata"]["finalizers"] = ["example.com/stay"]
    del unowned["metadata"]["ownerReferences"]
    strangely_owned["metadata"]["ownerReferences"][0]["uid"] = "other"
    for body in (lasting, unowned, strangely_owned):
        with pytest.raises(ApiError) as error:
            server.create(body, namespace)
        _refused(error, WITH_ITS_POD)
    server.create(report(name, uid), namespace)
    control_plane.admin.delete(POD, name, namespace, gracePeriodSeconds="0")
    eventually(lambda: control_plane.admin.list(REPLICA_REPORT, namespace) == [], timeout=20)


def test_server_of_another_namespace_cannot_write_a_report(
    control_plane: ControlPlane, namespace: str, make_namespace: Any, pods: dict[str, str]
) -> None:
    """Even if RBAC allows it."""
    name, uid = next(iter(pods.items()))
    elsewhere = make_namespace()
    _allow(control_plane.admin, elsewhere, SERVER, GROUP, "replicareports", home=namespace)
    server = control_plane.client_for(SERVER, namespace, name)
    with pytest.raises(ApiError) as error:
        server.create(report(name, uid), elsewhere)
    _refused(error, OWN_NAME)


def test_policy_of_reports_ignores_other_accounts(control_plane: ControlPlane, namespace: str) -> None:
    _allow(control_plane.admin, namespace, "somebody", GROUP, "replicareports")
    control_plane.client_for("somebody", namespace).create(report("any", "any"), namespace)
    with pytest.raises(ApiError) as error:
        control_plane.client_for("nobody", namespace).create(report("another", "any"), namespace)
    assert error.value.code == 403
    assert "ValidatingAdmissionPolicy" not in error.value.message


# ---- results ----

RESULT = f"linplane-{'m' * 37}-0123456789"  # the longest possible name


@pytest.fixture
def trainer(control_plane: ControlPlane, namespace: str) -> Client:
    """The trainer in the pod of a real Job, which has the name of its result."""
    admin = control_plane.admin
    _allow(admin, namespace, TRAINER, "", "configmaps")
    control_plane.token_for(TRAINER, namespace)
    admin.create(config_map(RESULT), namespace)
    admin.create(config_map("linplane-iris-9876543210", kept="yes"), namespace)
    template = {"spec": pod("", TRAINER, restartPolicy="Never")["spec"]}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": RESULT}, "spec": {"template": template}}
    admin.create(job, namespace)
    (running,) = eventually(lambda: admin.list(POD, namespace))
    name = running["metadata"]["name"]
    assert len(RESULT) == 57
    assert name.startswith(f"{RESULT}-")
    assert len(name) == 63
    return control_plane.client_for(TRAINER, namespace, name)


def test_trainer_writes_the_result_of_its_own_job(trainer: Client, namespace: str) -> None:
    trainer.apply(config_map(RESULT, **{"model.json": "{}"}), namespace)
    trainer.patch(CONFIG_MAP, RESULT, {"data": {"error.json": "{}"}}, namespace)
    assert trainer.get(CONFIG_MAP, RESULT, namespace)["data"] == {"model.json": "{}", "error.json": "{}"}


def test_trainer_cannot_write_other_config_maps(trainer: Client, admin: Client, namespace: str) -> None:
    other = "linplane-iris-9876543210"
    before = admin.list(CONFIG_MAP, namespace)
    for name in (other, f"{RESULT}0", RESULT[:-1], "kube-root-ca.crt"):
        with pytest.raises(ApiError) as error:
            trainer.apply(config_map(name, kept="no"), namespace, force=True)
        _refused(error, OWN_RESULT)
    with pytest.raises(ApiError) as error:
        trainer.patch(CONFIG_MAP, other, {"data": {"kept": None}}, namespace)
    _refused(error, OWN_RESULT)
    assert admin.list(CONFIG_MAP, namespace) == before


def test_trainer_cannot_recreate_a_deleted_result(trainer: Client, admin: Client, namespace: str) -> None:
    """Only the operator creates it: a deleted one belongs to a training that is no longer desired."""
    admin.delete(CONFIG_MAP, RESULT, namespace)
    with pytest.raises(ApiError) as error:
        trainer.apply(config_map(RESULT, **{"model.json": "{}"}), namespace)
    _refused(error, OWN_RESULT)
    assert admin.find(CONFIG_MAP, RESULT, namespace) is None


@pytest.mark.parametrize(
    "change",
    [
        {"immutable": True},
        {"metadata": {"labels": {"linplane.dev/recipe": "another"}}},
        {"metadata": {"finalizers": ["example.com/stay"]}},
        {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "any", "uid": "any"}]}},
    ],
    ids=["seals", "labels", "holds", "owns"],
)
def test_trainer_cannot_change_metadata_or_seal_its_result(
    trainer: Client, admin: Client, namespace: str, change: Object
) -> None:
    before = admin.get(CONFIG_MAP, RESULT, namespace)
    with pytest.raises(ApiError) as error:
        trainer.patch(CONFIG_MAP, RESULT, change, namespace)
    _refused(error, ONLY_DATA)
    assert admin.get(CONFIG_MAP, RESULT, namespace) == before


def test_trainer_cannot_remove_labels_and_finalizers_of_the_operator(
    trainer: Client, admin: Client, namespace: str
) -> None:
    mark = {"metadata": {"labels": {"linplane.dev/recipe": "r"}, "finalizers": ["example.com/stay"]}}
    admin.patch(CONFIG_MAP, RESULT, mark, namespace)
    trainer.apply(config_map(RESULT, **{"model.json": "{}"}), namespace)
    with pytest.raises(ApiError) as error:
        trainer.patch(CONFIG_MAP, RESULT, {"metadata": {"labels": None}}, namespace)
    _refused(error, ONLY_DATA)
    admin.patch(CONFIG_MAP, RESULT, {"metadata": {"finalizers": None}}, namespace)


def test_trainer_token_without_a_pod_cannot_write_a_result(
    control_plane: ControlPlane, trainer: Client, namespace: str
) -> None:
    with pytest.raises(ApiError) as error:
        control_plane.client_for(TRAINER, namespace).apply(config_map(RESULT, a="b"), namespace)
    _refused(error, OWN_RESULT)


def test_jobs_go_with_their_pods(trainer: Client, admin: Client, namespace: str) -> None:
    """Deletes the Job as the operator does."""
    admin.delete(JOB, RESULT, namespace, "Background")
    eventually(lambda: admin.list(POD, namespace) == [], timeout=20)
