"""Restricted pods alone, the chart's network policies, and a tenant who may change routes only."""

import json
import os

import pytest

from e2e.chart import CHART, RELEASE, SYSTEM
from e2e.conftest import Release, values
from e2e.kubectl import Kubectl, first_answer, from_pod, helm
from e2e.objects import Object, handmade, route, trained
from support import eventually

TENANT = "tenant"
METRICS = "http://linplane-default-admin:8081/metrics"  # for the namespace `monitoring` alone, by the policies
DATA = {"synthetic": {"samples": 50, "featureCount": 1, "noise": "0.1"}}


@pytest.fixture
def tenant(kubectl: Kubectl) -> Kubectl:
    """A namespace with a route of two versions, and an account that may edit routes."""
    kubectl.apply(*handmade("flat", "v1", 2, 1), *handmade("flat", "v2", 3, 1), route("flat", "v1"))
    kubectl("create", "serviceaccount", TENANT)
    role = ("--clusterrole=linplane-route-editor", f"--serviceaccount={kubectl.namespace}:{TENANT}")
    kubectl("create", "rolebinding", TENANT, *role)
    kubectl.wait("Ready", "modelroute/flat", "linearmodel/flat-v2")
    return kubectl


def _as(kubectl: Kubectl, *arguments: str, stdin: str | None = None) -> str:
    """The output of the tenant's call, refused or not."""
    who = f"--as=system:serviceaccount:{kubectl.namespace}:{TENANT}"
    return kubectl(who, *arguments, stdin=stdin, check=False)


def test_tenant_switches_routes_and_reaches_nothing_else(tenant: Kubectl) -> None:
    assert "patched" in _as(tenant, "patch", "modelroute", "flat", "--type=merge", '--patch={"spec":{"version":"v2"}}')
    tenant.wait("Ready", "modelroute/flat")
    assert first_answer(tenant, "http://flat/predict", {"features": {"area": 2}})[1]["prediction"] == 7
    assert "flat-v1" in _as(tenant, "get", "linearmodels")
    refused = [
        ("get", "secrets"),
        ("get", "configmaps"),
        ("get", "pods"),
        ("patch", "linearmodel", "flat-v1", "--type=merge", '--patch={"spec":{"frozen":true}}'),
        ("patch", "modelserver", "default", "--type=merge", '--patch={"spec":{"image":"evil"}}'),
        ("scale", "modelserver/default", "--replicas=9"),
        ("delete", "linearmodel", "flat-v1"),
        ("patch", "modelroute", "flat", "--subresource=status", "--type=merge", '--patch={"status":{"version":"v9"}}'),
        ("create", "token", "linplane-server-default"),
        ("exec", "client", "--", "true"),
        ("get", "modelroutes", "--namespace=default"),
    ]
    for call in refused:
        assert "Forbidden" in _as(tenant, *call) or "forbidden" in _as(tenant, *call), call
    own: list[Object] = [trained("mine", "v1", DATA), *handmade("mine", "v2", 1, 1)]
    for body in own:
        assert "forbidden" in _as(tenant, "create", "--filename=-", stdin=json.dumps(body)), body["kind"]


def test_pods_of_the_product_are_restricted(tenant: Kubectl) -> None:
    """The namespace refuses pods that are not restricted, so every pod of the product is one."""
    tenant.apply(trained("made-up", "v1", DATA))
    tenant.wait("Trained", "linearmodel/made-up-v1")
    names = {pod["metadata"]["name"].rpartition("-")[0] for pod in tenant.list("pods")}
    assert any(name.startswith("linplane-server-default") for name in names)
    assert any(name.startswith("linplane-made-up-v1") for name in names)
    assert "violates PodSecurity" not in tenant("get", "events")


def test_network_policies_allow_training_and_serving(tenant: Kubectl, release: Release) -> None:
    """Their effect is visible on kind only; the network of a node of the tests' own does not enforce them."""
    assert first_answer(tenant, METRICS, None)[0] == 200
    chosen = ("--set=networkPolicies.enabled=true", f"--set=networkPolicies.namespaces={{{tenant.namespace}}}")
    try:
        helm("upgrade", RELEASE, str(CHART), f"--namespace={SYSTEM}", "--wait", *values(), *chosen)
        policies = tenant.list("networkpolicies")
        assert policies
        for component in ("server", "trainer"):
            assert any(_selects(policy, component) for policy in policies), component
        tenant.apply(trained("behind", "v1", DATA), route("behind", "v1"))
        tenant.wait("Ready", "modelroute/behind")
        assert first_answer(tenant, "http://behind/predict", {"features": {"x1": 1}})[0] == 200
        if os.environ["LINPLANE_E2E_CONTEXT"].startswith("kind-"):
            eventually(lambda: not _reaches(tenant, METRICS), 60, interval=1)
    finally:
        helm("upgrade", RELEASE, str(CHART), f"--namespace={SYSTEM}", "--wait", *values())


def _reaches(kubectl: Kubectl, url: str) -> bool:
    try:
        from_pod(kubectl, url)
    except AssertionError as error:
        if "timed out" not in str(error):
            raise
        return False
    return True


def _selects(policy: Object, component: str) -> bool:
    labels = policy["spec"]["podSelector"].get("matchLabels") or {}
    return labels.get("app.kubernetes.io/component", component) == component
