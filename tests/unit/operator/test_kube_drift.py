"""A child is written only if it differs from its desired state, whatever an API server adds to it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_operator.kube.drift import difference, is_same_quantity, merge_patch, stamped

DESIRED: dict[str, Any] = {
    "kind": "Deployment",
    "metadata": {"name": "d", "labels": {"a": "1"}},
    "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "c", "args": ["x"], "resources": {}}]}}},
}
FOUND = [
    ("as it is", {}, True),
    ("with defaults beside it", {"spec": {**DESIRED["spec"], "revisionHistoryLimit": 10}}, True),
    ("with a status", {"status": {"replicas": 2}}, True),
    ("scaled by a user", {"spec": {**DESIRED["spec"], "replicas": 5}}, False),
    ("without its label", {"metadata": {"name": "d"}}, False),
    (
        "with another container",
        {"spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "c"}] * 2}}}},
        False,
    ),
]


@pytest.mark.parametrize(("what", "change", "expected"), FOUND, ids=[row[0] for row in FOUND])
def test_drift_of_a_child(what: str, change: dict[str, Any], expected: bool) -> None:
    assert (difference(DESIRED, {**DESIRED, **change}) == {}) is expected


def test_drift_ignores_an_empty_map() -> None:
    """An API server leaves out what is empty."""
    assert difference({"kind": "Job", "a": {}, "b": []}, {"kind": "Job"}) == {}


def test_drift_ignores_the_data_of_a_result() -> None:
    """An outdated cache leads to an apply with empty data."""
    assert difference({"kind": "ConfigMap", "data": {}}, {"kind": "ConfigMap", "data": {"a": "1"}}) == {}


POD: dict[str, Any] = {"containers": [{"name": "c", "image": "i", "args": ["x"]}], "nodeSelector": {"disk": "ssd"}}
DEFAULTED = {**POD["containers"][0], "terminationMessagePath": "/dev/termination-log"}
ONE, TWO = {"app": "a"}, {"app": "a", "odd": "x"}
OTHER = {**DEFAULTED, "env": [{"name": "E"}], "command": ["sh"]}
ADDED = [
    ("selector", ONE, TWO, {"odd": None}),
    ("selector", {"matchLabels": ONE}, {"matchLabels": TWO}, {"matchLabels": {"odd": None}}),
    ("ports", [{"port": 80}], [{"port": 80, "protocol": "TCP"}, {"port": 99}], [{"port": 80}]),
    ("ports", [{"port": 80}], [{"port": 80, "protocol": "TCP"}], None),
    ("labels", {"app": "a"}, {"app": "a", "theirs": "b"}, None),
    ("requests", {"cpu": "1000m"}, {"cpu": "1"}, None),
    ("spec", POD, {**POD, "containers": [DEFAULTED], "dnsPolicy": "ClusterFirst"}, None),
    ("spec", POD, {**POD, "initContainers": [{"name": "i"}]}, {"initContainers": None}),
    ("spec", POD, {**POD, "nodeSelector": {"disk": "ssd", "odd": "x"}}, {"nodeSelector": {"odd": None}}),
    ("spec", POD, {**POD, "containers": [OTHER]}, {"containers": POD["containers"]}),
    ("spec", POD, {**POD, "containers": [DEFAULTED, {"name": "d"}]}, {"containers": POD["containers"]}),
]  # fmt: skip


@pytest.mark.parametrize(("field", "desired", "found", "patch"), ADDED)
def test_drift_removes_additions_that_change_the_meaning(field: str, desired: Any, found: Any, patch: Any) -> None:
    assert difference({field: desired}, {field: found}) == ({} if patch is None else {field: patch})


def test_stamp_differs_if_a_field_is_removed() -> None:
    less = {**DESIRED, "spec": {"replicas": 2}}
    assert difference(less, DESIRED) == {}
    assert difference(stamped(less), stamped(DESIRED))
    assert stamped(DESIRED) == stamped(dict(reversed(DESIRED.items())))


def _applied(target: Any, patch: Any) -> Any:
    """RFC 7386, as it is written there."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _applied(result.get(key), value)
    return result


DATA = st.dictionaries(st.sampled_from("abcdef"), st.text(max_size=3), max_size=6)


KEYS = st.sampled_from("abc")
PARTS = st.recursive(st.text(max_size=2), lambda p: st.lists(p, max_size=3) | st.dictionaries(KEYS, p))
OBJECTS = st.dictionaries(st.sampled_from(["a", "b", "selector", "containers", "command", "image"]), PARTS)


@given(desired=OBJECTS, found=OBJECTS)
def test_difference_is_empty_once_applied(desired: dict[str, Any], found: dict[str, Any]) -> None:
    """A repair ends."""
    assert difference(desired, _applied(found, difference(desired, found))) == {}


@given(desired=DATA, seen=DATA)
def test_merge_patch_leads_to_the_desired_object(desired: dict[str, str], seen: dict[str, str]) -> None:
    patch = merge_patch({"data": desired}, {"data": seen}, ("data",))
    assert _applied({"data": seen}, patch) == {"data": desired}
    assert (patch == {}) == (desired == seen)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *[
            ("0.5", "500m"),
            (0.1, "100m"),
            ("1024Mi", "1Gi"),
            ("1000000000", "1G"),
            (1, "1"),
            ("1e3", "1k"),
            ("2E3", "2k"),
            (".5", "500m"),
        ],
        *[("1.5Gi", "1536Mi"), ("100u", "100000n"), ("1E", "1000P"), ("+1", "1"), ("1.", "1")],
    ],
)
def test_quantities_of_different_form_are_equal(one: object, other: object) -> None:
    assert is_same_quantity(one, other)
    assert is_same_quantity(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [("1", "2"), ("1M", "1Mi"), ("1m", "1M"), ("x", "1"), (None, "1"), ("", "0"), ("sNaN", "1"), ({}, "1")],
)
def test_quantities_of_different_value_differ(one: object, other: object) -> None:
    assert not is_same_quantity(one, other)


def deployment(**resources: object) -> dict[str, object]:
    containers = [{"name": "server", "resources": resources}]
    return {"kind": "Deployment", "metadata": {"name": "x"}, "spec": {"template": {"spec": {"containers": containers}}}}


def test_quantity_of_another_form_is_no_drift() -> None:
    """An API server hands quantities back in its own form."""
    desired = deployment(requests={"cpu": "0.5", "memory": "1024Mi"}, limits={"memory": 1073741824})
    found = stamped(desired) | {
        "spec": deployment(requests={"cpu": "500m", "memory": "1Gi"}, limits={"memory": "1Gi"})["spec"]
    }
    assert difference(stamped(desired), found) == {}


@pytest.mark.parametrize("found", [{"cpu": "501m"}, {}, None])
def test_quantity_of_another_value_is_drift(found: object) -> None:
    desired = stamped(deployment(requests={"cpu": "0.5"}))
    assert difference(desired, desired | {"spec": deployment(requests=found)["spec"]})
