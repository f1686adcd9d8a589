"""NetworkPolicies: every pod is selected, and what it may reach and be reached by is little."""

from typing import Any

import pytest

from chart import matrix, pods
from linplane_api import names
from unit.chart import made

Object = dict[str, Any]
WITH = ["hardened", "network"]
DNS = {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}


def policies(name: str) -> dict[str, Object]:
    """By name, of one namespace if there are several."""
    found = [body for body in matrix.rendered(name) if body["kind"] == "NetworkPolicy"]
    return {body["metadata"]["name"]: body["spec"] for body in found}


@pytest.mark.parametrize("name", [name for name in matrix.NAMES if name not in WITH])
def test_there_are_none_by_default(name: str) -> None:
    assert not policies(name)


@pytest.mark.parametrize("name", WITH)
def test_every_pod_is_selected(name: str) -> None:
    """The chart's, and those that the operator makes."""
    found = policies(name)
    bodies = [*matrix.rendered(name), made.deployment("full"), made.job("uri")]
    for whose, pod in pods.templates(bodies):
        labels = pod["metadata"]["labels"].items()
        assert any(spec["podSelector"]["matchLabels"].items() <= labels for spec in found.values()), whose


@pytest.mark.parametrize("name", WITH)
def test_each_policy_bounds_both_ways_and_never_selects_all(name: str) -> None:
    for spec in policies(name).values():
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        assert spec["podSelector"]["matchLabels"]


@pytest.mark.parametrize("name", WITH)
def test_what_goes_out_is_names_and_the_api_server(name: str) -> None:
    values = matrix.values(name)["networkPolicies"]
    ports = [{"protocol": "TCP", "port": port} for port in values.get("apiServerPorts", [443, 6443])]
    api: Object = {"ports": ports} | ({"to": values["apiServer"]} if "apiServer" in values else {})
    found = policies(name)
    assert found["linplane-operator"]["egress"] == found["linplane-servers"]["egress"] == [DNS, api]
    assert found["linplane-trainers"]["egress"] == [DNS, api, *values.get("trainerEgress", [])]


@pytest.mark.parametrize("name", WITH)
def test_what_comes_in(name: str) -> None:
    """Predictions from anybody, or from those named; metrics from monitoring; to trainers nothing."""
    found = policies(name)
    asked = matrix.values(name)["networkPolicies"].get("predictFrom")
    predict, metrics = found["linplane-servers"]["ingress"]
    assert predict["ports"] == [{"protocol": "TCP", "port": "http"}]
    assert predict.get("from") == asked
    assert metrics["ports"] == [{"protocol": "TCP", "port": "admin"}]
    assert metrics["from"][0]["namespaceSelector"]
    assert found["linplane-operator"]["ingress"][0]["from"] == metrics["from"]
    assert found["linplane-trainers"]["ingress"] == []


def test_the_ports_that_are_named_are_the_pods() -> None:
    container = made.deployment("empty")["spec"]["template"]["spec"]["containers"][0]
    by_name = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert by_name == {"http": names.PUBLIC_PORT, "admin": names.ADMIN_PORT}


def test_the_namespaces_are_those_that_are_named() -> None:
    """networkPolicies.namespaces, or else those that are watched; and the release's own for the operator."""
    for name, wanted in (("hardened", ["pricing", "shop"]), ("network", ["pricing"])):
        found = [body["metadata"] for body in matrix.rendered(name) if body["kind"] == "NetworkPolicy"]
        assert [m["namespace"] for m in found if m["name"] == "linplane-servers"] == wanted
        assert [m["namespace"] for m in found if m["name"] == "linplane-operator"] == ["linplane-system"]
