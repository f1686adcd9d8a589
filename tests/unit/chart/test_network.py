"""NetworkPolicies: every pod is selected, and its ingress and egress are limited."""

from typing import Any

import pytest

from chart import matrix, pods
from linplane_api import names
from unit.chart import made

Object = dict[str, Any]
WITH = ["hardened", "network"]
DNS = {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}


def policies(name: str) -> dict[str, Object]:
    """The NetworkPolicies by name; of one namespace if there are several."""
    found = [body for body in matrix.rendered(name) if body["kind"] == "NetworkPolicy"]
    return {body["metadata"]["name"]: body["spec"] for body in found}


@pytest.mark.parametrize("name", [name for name in matrix.NAMES if name not in WITH])
def test_network_policies_are_off_by_default(name: str) -> None:
    assert not policies(name)


@pytest.mark.parametrize("name", WITH)
def test_pod_is_selected_by_a_policy(name: str) -> None:
    """Pods of the chart, and those that the operator creates."""
    found = policies(name)
    bodies = [*matrix.rendered(name), made.deployment("full"), made.job("uri")]
    for whose, pod in pods.templates(bodies):
        labels = pod["metadata"]["labels"].items()
        assert any(spec["podSelector"]["matchLabels"].items() <= labels for spec in found.values()), whose


@pytest.mark.parametrize("name", WITH)
def test_policy_bounds_both_ways_and_never_selects_all(name: str) -> None:
    for spec in policies(name).values():
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        assert spec["podSelector"]["matchLabels"]


@pytest.mark.parametrize("name", WITH)
def test_egress_is_limited_to_dns_and_the_api_server(name: str) -> None:
    values = matrix.values(name)["networkPolicies"]
    ports = [{"protocol": "TCP", "port": port} for port in values.get("apiServerPorts", [443, 6443])]
    api: Object = {"ports": ports} | ({"to": values["apiServer"]} if "apiServer" in values else {})
    found = policies(name)
    assert found["linplane-operator"]["egress"] == found["linplane-servers"]["egress"] == [DNS, api]
    assert found["linplane-trainers"]["egress"] == [DNS, api, *values.get("trainerEgress", [])]


@pytest.mark.parametrize("name", WITH)
def test_ingress_is_limited_to_predictions_and_metrics(name: str) -> None:
    """Predictions from any peer, or from the named ones; metrics from monitoring; nothing to trainers."""
    found = policies(name)
    asked = matrix.values(name)["networkPolicies"].get("predictFrom")
    predict, metrics = found["linplane-servers"]["ingress"]
    assert predict["ports"] == [{"protocol": "TCP", "port": "http"}, {"protocol": "TCP", "port": "grpc"}]
    assert predict.get("from") == asked
    assert metrics["ports"] == [{"protocol": "TCP", "port": "admin"}]
    assert metrics["from"][0]["namespaceSelector"]
    assert found["linplane-operator"]["ingress"][0]["from"] == metrics["from"]
    assert found["linplane-trainers"]["ingress"] == []


def test_network_policy_port_names_are_those_of_the_pods() -> None:
    with_grpc = {"http": names.PUBLIC_PORT, "admin": names.ADMIN_PORT, "grpc": names.GRPC_PORT}
    for server, ports in (("full", with_grpc), ("empty", {**with_grpc, "grpc": None})):
        container = made.deployment(server)["spec"]["template"]["spec"]["containers"][0]
        by_name = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert by_name == {name: number for name, number in ports.items() if number}


def test_network_policies_are_in_the_named_namespaces() -> None:
    """networkPolicies.namespaces, or else watchNamespaces; and the release's own for the operator."""
    for name, wanted in (("hardened", ["pricing", "shop"]), ("network", ["pricing"])):
        found = [body["metadata"] for body in matrix.rendered(name) if body["kind"] == "NetworkPolicy"]
        assert [m["namespace"] for m in found if m["name"] == "linplane-servers"] == wanted
        assert [m["namespace"] for m in found if m["name"] == "linplane-operator"] == ["linplane-system"]
