"""The chart's copies equal their sources: CRDs and policies by the byte, permissions by the rule."""

import re
from pathlib import Path

import pytest
import yaml

from chart import templates
from chart.render import CHART, Object, render, render_text
from linplane_operator.kube import permissions

ROOT = Path(__file__).parents[3]
INJECTED = re.compile(r"^  (labels:|annotations: \{helm\.sh).*\n(    \S.*\n)*", re.MULTILINE)


def source(name: str) -> str:
    return (ROOT / "crds" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", templates.crd_names())
def test_rendered_crd_equals_its_source_by_the_byte(name: str) -> None:
    """Except for labels and the annotation that keeps it."""
    text = render_text()[f"crds/{name}"]
    assert "helm.sh/resource-policy: keep" in text
    assert INJECTED.sub("", text, count=2).strip() == source(name).strip()


def test_crds_and_keeping_them_can_be_left_out() -> None:
    kept = render({"crds": {"keep": False}})
    assert len([body for body in kept if body["kind"] == "CustomResourceDefinition"]) == 4
    assert not [body for body in kept if "helm.sh/resource-policy" in str(body["metadata"])]
    assert not [body for body in render({"crds": {"enabled": False}}) if body["kind"] == "CustomResourceDefinition"]


def bare(body: Object) -> Object:
    metadata = {key: value for key, value in body["metadata"].items() if key != "labels"}
    return {**body, "metadata": metadata}


def shipped(values: Object | None = None) -> dict[tuple[str, str], Object]:
    bodies = yaml.safe_load_all(render_text(values)["policies/shipped.yaml"])
    return {(body["kind"], body["metadata"]["name"]): bare(body) for body in bodies if body}


def test_rendered_policies_are_their_source() -> None:
    wanted = [bare(body) for body in yaml.safe_load_all(source("policies.yaml")) if body]
    assert list(shipped().values()) == wanted


@pytest.mark.parametrize(
    "values", [{"policies": {"versionInUse": "Deny"}}, {"hardened": True, "watchNamespaces": ["shop"]}]
)
def test_deleting_a_version_in_use_can_be_refused(values: Object) -> None:
    """The bindings of a version and of a ModelServer in use change, and nothing else."""
    before, after = shipped(), shipped(values)
    for name in ("linplane-version-in-use", "linplane-server-in-use"):
        key = ("ValidatingAdmissionPolicyBinding", name)
        assert after[key]["spec"]["validationActions"] == ["Deny"]
        before[key]["spec"]["validationActions"] = ["Deny"]
    assert after == before


def test_policies_can_be_left_out() -> None:
    assert "policies/shipped.yaml" not in render_text({"policies": {"enabled": False}})


@pytest.mark.parametrize("namespaces", [[], ["one", "two"]])
def test_operator_permissions_are_those_of_the_source(namespaces: list[str]) -> None:
    """Cluster-wide, or the same rules in each namespace and none cluster-wide."""
    bodies = [b for b in render({"watchNamespaces": namespaces}) if b["metadata"]["name"] == "linplane-operator"]
    roles = [b for b in bodies if b["kind"] == ("Role" if namespaces else "ClusterRole")]
    assert [b["metadata"].get("namespace") for b in roles] == (namespaces or [None])
    assert all(b["rules"] == permissions.rules() for b in roles)
    bindings = [b for b in bodies if b["kind"].endswith("Binding")]
    assert [b["metadata"].get("namespace") for b in bindings] == (namespaces or [None])
    for binding in bindings:
        assert binding["kind"] == roles[0]["kind"] + "Binding"
        assert binding["roleRef"]["kind"] == roles[0]["kind"]
        assert binding["subjects"] == [
            {"kind": "ServiceAccount", "name": "linplane-operator", "namespace": "linplane-system"}
        ]


def test_chart_has_the_version_of_the_package() -> None:
    package = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    assert package
    assert chart["appVersion"] == package[1]
