"""Every object of the chart, for every value file."""

import re
from typing import Any

import helm_python
import kubernetes_validate
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chart import matrix
from chart.render import CHART, render
from unit.chart import made

Object = dict[str, Any]
STABLE = {f"app.kubernetes.io/{key}" for key in ("name", "instance", "component")}
LABELS = {f"app.kubernetes.io/{key}" for key in ("version", "part-of", "managed-by")} | STABLE | {"helm.sh/chart"}
OTHERS_GROUPS = ("linplane.dev/", "monitoring.coreos.com/")
MINORS = ("1.31", "1.32", "1.33", "1.34", "1.35", "1.36", "1.37")
DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
CLUSTER = {
    *("CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"),
    *("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
}


def test_value_files_are_at_least_twelve() -> None:
    assert len(matrix.NAMES) >= 12


@pytest.mark.parametrize("name", matrix.NAMES)
def test_helm_lint_reports_nothing(name: str) -> None:
    report = helm_python.lint(CHART, matrix.values(name), strict=True, kube_version="v1.34.0")
    assert not [message for message in report["messages"] if message["severity"] > 1], report
    assert not report["errors"]


@pytest.mark.parametrize("name", matrix.NAMES)
def test_object_is_labelled_and_in_its_place(name: str) -> None:
    """H4; and namespaced kinds have a namespace, others none."""
    for body in matrix.rendered(name):
        what = f"{body['kind']} {body['metadata']['name']}"
        labels = body["metadata"]["labels"]
        assert labels.keys() >= LABELS, what
        assert all(isinstance(value, str) for value in labels.values()), what
        assert ("namespace" in body["metadata"]) is (body["kind"] not in CLUSTER), what


@pytest.mark.parametrize("name", matrix.NAMES)
def test_selectors_use_what_never_changes(name: str) -> None:
    """A Deployment's selector cannot be changed, so nothing in it may."""
    for body in matrix.rendered(name):
        if body["kind"] in ("Deployment", "PodDisruptionBudget"):
            assert body["spec"]["selector"]["matchLabels"].keys() == STABLE
        if body["kind"] == "Service":
            assert body["spec"]["selector"].keys() == STABLE


def test_operator_selector_is_the_same_in_every_version() -> None:
    """An upgrade could not change it."""
    (deployment,) = [body for body in matrix.rendered("default") if body["kind"] == "Deployment"]
    assert deployment["spec"]["selector"]["matchLabels"] == {
        "app.kubernetes.io/name": "linplane",
        "app.kubernetes.io/instance": "linplane",
        "app.kubernetes.io/component": "operator",
    }


def test_chart_has_no_webhooks_and_no_secrets() -> None:
    kinds = {body["kind"] for _, body in matrix.every_object()}
    assert not {kind for kind in kinds if "Webhook" in kind or kind == "Secret"}


def judged(body: Object, minor: str) -> None:
    if not body["apiVersion"].startswith(OTHERS_GROUPS):
        kubernetes_validate.validate(body, minor, strict=True)


def test_objects_are_valid_for_the_kubernetes_api() -> None:
    """Validates against the schemas of 1.34, with unknown fields refused; the operator's objects too."""
    for _, body in matrix.every_object():
        judged(body, "1.34")
    for body in (*dict(made.everything()).values(), *made.others()):
        judged(body, "1.34")


@pytest.mark.parametrize("minor", MINORS)
def test_objects_are_valid_for_other_minor_versions(minor: str) -> None:
    """CRDs are left out: they are large and the same in all of them."""
    bodies = [*matrix.rendered("hardened"), *matrix.rendered("namespaces"), *made.others()]
    bodies += [made.deployment("full"), made.job("claim")]
    for body in bodies:
        if body["kind"] != "CustomResourceDefinition":
            judged(body, minor)


def test_unknown_field_of_a_rendered_object_is_refused() -> None:
    (deployment,) = [body for body in matrix.rendered("default") if body["kind"] == "Deployment"]
    deployment["spec"]["template"]["spec"]["hostnetwork"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        judged(deployment, "1.34")


PART = "[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?"


@settings(max_examples=40, deadline=None)
@example("1x", "")
@example("a.b", "")
@example("x", "0")
@given(
    st.from_regex(rf"{PART}(\.{PART})*", fullmatch=True).filter(lambda name: len(name) <= 53),
    st.sampled_from(["", "x" * 63, "9" * 63]),
)
def test_name_of_an_object_is_a_dns_label(release: str, override: str) -> None:
    """For all release names that Helm accepts: up to 53 characters, also with digits first and dots. A Service's name
    begins with a letter.
    """
    helm_python.validate_release_name(release)
    for body in render({"fullnameOverride": override} if override else None, release=release):
        if body["kind"] != "CustomResourceDefinition":
            name = body["metadata"]["name"]
            assert DNS_LABEL.fullmatch(name), name
            assert name[0].isalpha() or body["kind"] != "Service", name
            for value in body["metadata"]["labels"].values():
                assert len(value) <= 63


def test_all_that_pulls_an_image_has_the_secrets_for_it() -> None:
    """The operator, and the pods of `helm test`: its own, and the server of its ModelServer."""
    bodies = {body["kind"]: body for body in matrix.rendered("private-registry")}
    specs = [bodies["Deployment"]["spec"]["template"]["spec"], bodies["Pod"]["spec"], bodies["ModelServer"]["spec"]]
    assert [spec["imagePullSecrets"] for spec in specs] == [[{"name": "registry"}]] * 3
