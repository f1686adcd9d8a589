"""A ModelServer: its conditions, its status and its Deployment."""

import pytest

from linplane_api import names
from linplane_api.conditions import Cause, Reason
from linplane_api.resources import ModelServerSpec, parse_spec
from linplane_operator.compile.acknowledgements import Acknowledged
from linplane_operator.compile.rollout import Rollout
from linplane_operator.compile.server import make_default_server, make_deployment, make_routing
from linplane_operator.compile.server_status import server_conditions, server_status
from linplane_operator.compile.services import selector
from linplane_operator.compile.settings import Settings

TAKEN = Cause(Reason.NAME_TAKEN, "x exists")
SERVER = {
    "apiVersion": names.API_VERSION,
    "kind": "ModelServer",
    "metadata": {"name": "gpu", "namespace": "team", "uid": "u1", "generation": 3, "labels": {"mine": "x"}},
}


@pytest.mark.parametrize(
    ("routes", "replicas", "problem", "reasons"),
    [
        (2, Acknowledged(2, 2, ""), None, (Reason.REPLICAS_READY, Reason.CONVERGED, Reason.READY)),
        (0, Acknowledged(2, 2, ""), None, (Reason.REPLICAS_READY, Reason.NO_ROUTES, Reason.READY)),
        (2, Acknowledged(1, 2, "p2"), None, (Reason.REPLICAS_READY, Reason.REPLICAS_BEHIND, Reason.REPLICAS_BEHIND)),
        (2, Acknowledged(1, 2, "p2", True), None, (Reason.REPLICAS_READY, Reason.REJECTED, Reason.REJECTED)),
        (2, Acknowledged(0, 0, ""), None, (Reason.NO_REPLICAS, Reason.NO_REPLICAS, Reason.NO_REPLICAS)),
        (2, Acknowledged(2, 2, ""), TAKEN, (Reason.REPLICAS_READY, Reason.NAME_TAKEN, Reason.NAME_TAKEN)),
        (2, Acknowledged(0, 0, ""), TAKEN, (Reason.NO_REPLICAS, Reason.NAME_TAKEN, Reason.NAME_TAKEN)),
    ],
)
def test_ready_of_a_server_sums_up_its_two_conditions(routes, replicas, problem, reasons):
    """Ready is the sum of the two others."""
    rollout = ROLLED_OUT if replicas.total else Rollout(Cause(Reason.NO_REPLICAS, "0 of 2 pods ready"))
    conditions = server_conditions(routes, replicas, rollout, problem)
    assert tuple(c.reason for c in conditions[:3]) == reasons
    assert conditions[2].status == ("True" if [c.status for c in conditions[:2]] == ["True"] * 2 else "False")


ROLLED_OUT = Rollout(Cause(Reason.READY, "2 of 2 pods ready"))
PULLING = Rollout(Cause(Reason.IMAGE_PULL_FAILED, "1 of 2 pods ready: ImagePullBackOff x:1"))


def test_server_is_ready_only_with_every_pod_of_its_spec():
    """While old pods serve, it is available and converged, and not ready."""
    conditions = server_conditions(2, Acknowledged(2, 2, ""), PULLING, None)
    shown = [(str(c.type), c.status, str(c.reason)) for c in conditions]
    assert shown == [
        ("Available", "True", "ReplicasReady"),
        ("Converged", "True", "Converged"),
        ("Ready", "False", "ImagePullFailed"),
        ("Reconciling", "True", "ImagePullFailed"),
    ]
    assert conditions[2].message == PULLING.cause.message


@pytest.mark.parametrize(("wanted", "progress"), [(2, ["Reconciling"]), (0, [])])
def test_server_without_replicas_waits_unless_zero_are_desired(wanted, progress):
    """`replicas: 0` is the desired state."""
    rollout = Rollout(Cause(Reason.NO_REPLICAS, "replicas is 0"), wanted)
    conditions = server_conditions(2, Acknowledged(0, 0, ""), rollout, None)
    assert [str(c.type) for c in conditions[3:]] == progress
    assert {c.message for c in conditions} == {"replicas is 0"}


def test_failed_rollout_is_stalled():
    """Only a change ends it."""
    rollout = Rollout(Cause(Reason.PROGRESS_DEADLINE_EXCEEDED, "0 of 2 pods ready"))
    assert server_conditions(0, Acknowledged(0, 0, ""), rollout, None)[-1].type == "Stalled"


def test_status_has_the_fields_of_the_scale_subresource():
    """Pods that there are, and the selector as text."""
    status = server_status(SERVER, (), pods=3, routes=2, sequence=9, replicas=Acknowledged(1, 2, "p2"))
    assert (status.replicas, status.loaded_replicas, status.routes, status.sequence) == (3, 1, 2, 9)
    assert status.observed_generation == 3
    assert f"{names.LABEL_SERVER}=gpu" in (status.selector or "").split(",")


def deployment(settings: Settings | None = None, **spec):
    """The Deployment of a spec."""
    typed = parse_spec({"spec": spec}, ModelServerSpec)
    return make_deployment(SERVER, typed, settings or Settings(server_image="s:1"))


def test_children_are_owned_labelled_and_named_as_ours():
    """A user's labels are not copied."""
    for body in (deployment(), make_routing(SERVER, {"sequence": "1"})):
        metadata = body["metadata"]
        assert metadata["name"].startswith("linplane-")
        assert metadata["namespace"] == "team"
        (owner,) = metadata["ownerReferences"]
        assert (owner["uid"], owner["controller"], owner["blockOwnerDeletion"]) == ("u1", True, False)
        assert metadata["labels"][names.LABEL_SERVER] == "gpu"
        assert "mine" not in metadata["labels"]


def test_pods_are_restricted_and_found_by_what_never_changes():
    """The restricted profile; a user's labels never override the selector's."""
    spec = deployment(labels={"team": "a"})["spec"]
    template = spec["template"]
    assert spec["selector"]["matchLabels"] == selector("gpu")
    assert template["metadata"]["labels"] == {"team": "a", **selector("gpu")}
    security = template["spec"]["containers"][0]["securityContext"]
    assert security["readOnlyRootFilesystem"]
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert template["spec"]["securityContext"]["runAsNonRoot"]


def test_pod_settings_of_the_user_are_applied():
    """Image, scheduling, resources, proxies, and the number of replicas if it is not limited."""
    body = deployment(
        replicas=5,
        image="mine:2",
        nodeSelector={"disk": "ssd"},
        resources={"requests": {"cpu": "1"}},
        trustedProxies=["10.0.0.0/8"],
        maxBodyBytes=4194304,
        priorityClassName="high",
    )
    pod = body["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert body["spec"]["replicas"] == 5
    assert (container["image"], container["resources"]) == ("mine:2", {"requests": {"cpu": "1"}})
    assert container["args"][-4:] == ["--trusted-proxy", "10.0.0.0/8", "--body-bytes", "4194304"]
    assert (pod["nodeSelector"], pod["priorityClassName"]) == ({"disk": "ssd"}, "high")
    assert deployment(Settings(max_replicas=1), replicas=5)["spec"]["replicas"] == 1


def test_arguments_stay_in_order():
    """Another order would replace every pod with an upgrade of the operator."""
    body = deployment(trustedProxies=["10.0.0.0/8", "10.1.0.0/16"], maxBodyBytes=1024)
    args = body["spec"]["template"]["spec"]["containers"][0]["args"]
    assert [word for word in args if word.startswith("--")] == [
        "--kubernetes", "--config", "--server-name", "--host", "--admin-host", "--pod-name", "--pod-uid",
        "--drain-seconds", "--trusted-proxy", "--trusted-proxy", "--body-bytes",
    ]  # fmt: skip


def test_arguments_have_the_root_path_and_whether_names_are_public():
    body = deployment(Settings(public_names=False), rootPath="/scoring")
    args = body["spec"]["template"]["spec"]["containers"][0]["args"]
    assert args[-3:] == ["--root-path", "/scoring", "--no-public-names"]


def test_grpc_is_a_port_and_the_last_argument():
    container = deployment(grpc={}, maxBodyBytes=1024)["spec"]["template"]["spec"]["containers"][0]
    assert container["args"][-4:] == ["--body-bytes", "1024", "--grpc-port", "9000"]
    assert container["ports"][-1] == {"name": "grpc", "containerPort": 9000}
    off = deployment(maxBodyBytes=1024)["spec"]["template"]["spec"]["containers"][0]
    assert off["args"] == container["args"][:-2]
    assert off["ports"] == container["ports"][:-1]


def test_equal_specs_give_equal_deployments():
    """Applying twice changes nothing."""
    assert deployment(replicas=2) == deployment(replicas=2)


def test_default_server_has_no_owner_and_an_empty_spec():
    """It is never deleted with a route, and every field stays the user's."""
    body = make_default_server("team")
    assert body["spec"] == {}
    assert "ownerReferences" not in body["metadata"]
