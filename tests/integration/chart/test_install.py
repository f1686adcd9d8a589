"""The chart's objects, accepted by a real API server, and an operator that has exactly the permissions they grant."""

import copy
import re
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from chart.render import CHART, NAMESPACE, Values, is_hook, render
from cluster.client import ApiError
from cluster.controlplane import ControlPlane
from cluster.kinds import ACCESS_REVIEW, POLICY
from linplane_api.kinds import POD
from support import eventually
from unit.chart import made

ACCOUNT = f"system:serviceaccount:{NAMESPACE}:linplane-operator"
POD_POLICY = "linplane-operator-pods"
FORBIDDEN = [
    *[("", "secrets", verb) for verb in ("get", "list", "watch", "create")],
    ("", "pods/exec", "create"),
    ("", "pods", "create"),
    ("", "nodes/proxy", "get"),
    ("", "serviceaccounts/token", "create"),
    ("", "namespaces", "patch"),
    *[("rbac.authorization.k8s.io", kind, verb) for kind in ("roles", "clusterroles") for verb in ("escalate", "bind")],
    ("", "users", "impersonate"),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations", "create"),
    ("linplane.dev", "linearmodels", "patch"),
    ("linplane.dev", "modelroutes", "patch"),
]


@pytest.mark.parametrize(
    "values",
    [{}, {"networkPolicies": {"enabled": True, "namespaces": ["default"]}}],
    ids=["default", "network"],
)
def test_objects_of_the_chart_are_accepted_with_strict_fields(installed: ControlPlane, values: Values) -> None:
    """A dry run with strict fields: no unknown field, no refusal by schema or policies."""
    for body in render(values):
        if not is_hook(body):
            namespace = body["metadata"].get("namespace")
            installed.admin.apply(body, namespace, force=True, dryRun="All")


def test_operator_pod_is_accepted_by_a_restricted_namespace(installed: ControlPlane) -> None:
    def pod() -> str:
        pods = [p for p in installed.admin.list(POD, NAMESPACE) if p["metadata"]["name"].startswith("linplane-op")]
        return pods[0]["metadata"]["name"] if pods else ""

    assert eventually(pod, timeout=60)


def test_operator_becomes_ready_with_the_permissions_of_its_chart(installed: ControlPlane, tmp_path: Path) -> None:
    """With the chart's account, for every namespace, it becomes ready and exports the metrics that the alerts name."""
    token = installed.token_for("linplane-operator", NAMESPACE)
    kubeconfig = installed.write_kubeconfig(tmp_path / "kubeconfig", token)
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    command = [sys.executable, "-m", "linplane_cli", "operator", "--kubeconfig", str(kubeconfig)]
    command += ["--health-host", "127.0.0.1", "--health-port", str(port)]
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:

            def answer(path: str) -> str:
                assert process.poll() is None, (tmp_path / "log").read_text()
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as reply:
                    return str(reply.read().decode())

            assert eventually(lambda: answer("/readyz"), timeout=60) == "ok\n"
            named = set(re.findall(r"linplane_operator_[a-z_]+", (CHART / "files/rules.yaml").read_text("utf-8")))
            scraped = answer("/metrics")
            assert len(named) > 6
            assert [name for name in sorted(named) if f"\n{name}" not in scraped] == []
        finally:
            process.kill()


@pytest.mark.parametrize(("group", "resource", "verb"), FORBIDDEN)
def test_operator_account_lacks_dangerous_permissions(
    installed: ControlPlane, group: str, resource: str, verb: str
) -> None:
    """Rights that lead to other users' rights, or to users' own objects."""
    name, _, subresource = resource.partition("/")
    asked = {"group": group, "resource": name, "subresource": subresource, "verb": verb, "namespace": "default"}
    body = {
        "apiVersion": ACCESS_REVIEW.api_version,
        "kind": ACCESS_REVIEW.kind,
        "spec": {"user": ACCOUNT, "groups": ["system:serviceaccounts"], "resourceAttributes": asked},
    }
    answer = installed.admin.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body)
    assert not answer["status"]["allowed"], asked


def test_operator_account_can_create_only_its_own_pods(installed: ControlPlane) -> None:
    """The policy of its pods is in force: the operator's objects are accepted, and refused with one Secret in them."""
    for body in render({"policies": {"operatorPods": True}}):
        if body["kind"].startswith("ValidatingAdmissionPolicy") and "operator" in body["metadata"]["name"]:
            installed.admin.apply(body, force=True)
    eventually(lambda: installed.admin.get(POLICY, POD_POLICY).get("status", {}).get("observedGeneration"), timeout=20)
    assert installed.admin.get(POLICY, POD_POLICY)["status"]["typeChecking"] == {}
    operator = installed.admin.impersonating(ACCOUNT, ["system:serviceaccounts", "system:masters"])

    def answer(body: dict[str, Any]) -> str:
        """The refusal, empty if it is accepted."""
        try:
            operator.apply(body, "default", dryRun="All")
        except ApiError as error:
            return error.message
        return ""

    pods = dict(made.everything())
    with_secret = {
        "server-full": POD_POLICY,
        "job-claim": "",
        "job-s3": "duplicate entries",
    }  # of that name: one at most
    for name, refusal in with_secret.items():
        body = {**pods[name], "metadata": {**pods[name]["metadata"], "namespace": "default"}}
        worse = copy.deepcopy(body)
        volume = {"name": "loot", "secret": {"secretName": "x"}}
        worse["spec"]["template"]["spec"]["volumes"].append(volume)
        assert eventually(lambda worse=worse: POD_POLICY in answer(worse))
        assert answer(body) == ""
        volume["name"] = "credentials"
        assert refusal in answer(worse)
        assert bool(refusal) == bool(answer(worse))
