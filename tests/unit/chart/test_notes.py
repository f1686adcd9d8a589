"""Texts for users: NOTES.txt, the chart's README, and manifests/install.yaml."""

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from chart import install, matrix
from chart.render import CHART, render_text
from unit.chart import made

ROOT = Path(__file__).parents[3]
CHART_YAML: dict[str, Any] = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", matrix.NAMES)
def test_notes_show_the_next_command(name: str) -> None:
    """They also describe the admin port and the check; nothing is left unrendered."""
    notes = matrix.texts(name)["NOTES.txt"]
    for part in ("apply -f manifests/examples/penguins", "/predict", "-admin 8081", "helm test linplane"):
        assert part in notes
    assert "{{" not in notes
    assert "<no value>" not in notes
    assert "enforce=restricted" in notes


@pytest.mark.parametrize(
    ("name", "word"), [("namespaces", "pricing, shop"), ("unkept-crds", "crds.keep is off"), ("no-rbac", "rbac.create")]
)
def test_notes_warn_of_unusual_values(name: str, word: str) -> None:
    assert word in matrix.texts(name)["NOTES.txt"]
    assert word not in matrix.texts("default")["NOTES.txt"]


@pytest.mark.parametrize("values", [{"networkPolicies": {"namespaces": ["shop"]}}, {"watchNamespaces": ["shop"]}, {}])
def test_notes_report_pods_without_a_network_policy(values: dict[str, Any]) -> None:
    """If no namespace is named, only the operator has one."""
    values = {**values, "networkPolicies": {"enabled": True, **values.get("networkPolicies", {})}}
    texts = render_text(values)
    there = "-servers" in texts["network/policies.yaml"]
    assert ("servers and trainers have none" in texts["NOTES.txt"]) is not there


def test_chart_yaml_has_the_fields_of_chart_catalogues() -> None:
    """Chart.yaml has the fields that catalogues of charts require."""
    for key in ("description", "home", "icon", "kubeVersion", "sources", "maintainers", "keywords"):
        assert CHART_YAML[key], key
    assert CHART_YAML["version"]
    notes = CHART_YAML["annotations"]
    wanted = {"license", "category", "crds", "crdsExamples", "changes", "images", "operator", "operatorCapabilities"}
    assert {f"artifacthub.io/{key}" for key in wanted} <= notes.keys()
    assert (notes["artifacthub.io/license"], notes["artifacthub.io/operator"]) == ("Apache-2.0", "true")
    crds = {entry["name"]: entry["kind"] for entry in yaml.safe_load(notes["artifacthub.io/crds"])}
    found = {b["metadata"]["name"]: b for b in matrix.rendered("default") if b["kind"] == "CustomResourceDefinition"}
    assert crds == {name: body["spec"]["names"]["kind"] for name, body in found.items()}


def test_chart_yaml_lists_the_images_that_the_chart_uses() -> None:
    listed = {entry["image"] for entry in yaml.safe_load(CHART_YAML["annotations"]["artifacthub.io/images"])}
    text = matrix.texts("default")["operator/deployment.yaml"]
    assert listed == set(re.findall(r"ghcr\.io/linplane/[a-z-]+:[\w.]+", text))
    assert len(listed) == 3


def test_chart_yaml_examples_are_those_of_the_manifests() -> None:
    shown = list(yaml.safe_load(CHART_YAML["annotations"]["artifacthub.io/crdsExamples"]))
    folder = ROOT / "manifests/examples/penguins"
    bodies = [body for file in sorted(folder.glob("*.yaml")) for body in yaml.safe_load_all(file.read_text("utf-8"))]
    assert len(shown) >= 3
    for example in shown:
        assert example in bodies or example["kind"] == "ModelServer"


def test_install_manifest_does_not_mention_helm() -> None:
    """With Helm's labels, Helm would refuse or adopt objects that kubectl created."""
    bodies = [body for body in yaml.safe_load_all(install.manifest()) if body]
    assert bodies[0]["kind"] == "Namespace"
    assert bodies[0]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    by_helm = [body for body in matrix.rendered("default") if "helm.sh/hook" not in str(body["metadata"])]
    assert len(bodies) == len(by_helm) + 1
    assert "Helm" not in re.sub(r"^#.*", "", install.manifest(), flags=re.MULTILINE)
    assert "helm.sh" not in install.manifest()


def test_autoscaler_of_the_readme_is_valid_and_scales_a_model_server() -> None:
    """S18: its target has a scale subresource, every server has the requests it uses, and scale-down has a window."""
    (text,) = re.findall(r"```yaml\n(.*?)```", (CHART / "README.md").read_text("utf-8"), re.DOTALL)
    body = yaml.safe_load(text)
    kubernetes_validate.validate(body, "1.34", strict=True)
    target = body["spec"]["scaleTargetRef"]
    (crd,) = [b for b in matrix.rendered("default") if b["metadata"]["name"] == "modelservers.linplane.dev"]
    version = crd["spec"]["versions"][0]
    assert target["kind"] == crd["spec"]["names"]["kind"]
    assert target["apiVersion"] == f"{crd['spec']['group']}/{version['name']}"
    assert "scale" in version["subresources"]
    assert body["spec"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"] > 0
    container = made.deployment("empty")["spec"]["template"]["spec"]["containers"][0]
    assert body["spec"]["metrics"][0]["resource"]["name"] in container["resources"]["requests"]
