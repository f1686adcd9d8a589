"""A child is written only where it is not as it was asked for, whatever an API server adds to it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_operator.kube.drift import is_as_asked, merge_patch, stamped

ASKED: dict[str, Any] = {
    "kind": "Deployment",
    "metadata": {"name": "d", "labels": {"a": "1"}},
    "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "c", "args": ["x"], "resources": {}}]}}},
}
FOUND = [
    ("as it is", {}, True),
    ("with defaults beside it", {"spec": {**ASKED["spec"], "revisionHistoryLimit": 10}}, True),
    ("with a status", {"status": {"replicas": 2}}, True),
    ("scaled by somebody", {"spec": {**ASKED["spec"], "replicas": 5}}, False),
    ("without its label", {"metadata": {"name": "d"}}, False),
    (
        "with another container",
        {"spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "c"}] * 2}}}},
        False,
    ),
]


@pytest.mark.parametrize(("what", "change", "expected"), FOUND, ids=[row[0] for row in FOUND])
def test_what_counts_as_drift(what: str, change: dict[str, Any], expected: bool) -> None:
    assert is_as_asked(ASKED, {**ASKED, **change}) is expected


def test_an_empty_map_is_as_good_as_none() -> None:
    """An API server leaves out what is empty."""
    assert is_as_asked({"kind": "Job", "a": {}, "b": []}, {"kind": "Job"})


def test_a_configmaps_data_holds_nothing_else() -> None:
    asked = {"kind": "ConfigMap", "data": {"a": "1"}}
    assert is_as_asked(asked, asked)
    assert not is_as_asked(asked, {"kind": "ConfigMap", "data": {"a": "1", "b": "2"}})


def test_what_is_asked_for_no_longer_shows_in_the_stamp() -> None:
    less = {**ASKED, "spec": {"replicas": 2}}
    assert is_as_asked(less, ASKED)
    assert not is_as_asked(stamped(less), stamped(ASKED))
    assert stamped(ASKED) == stamped(dict(reversed(ASKED.items())))


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


@given(asked=DATA, seen=DATA)
def test_a_merge_patch_brings_the_one_to_the_other(asked: dict[str, str], seen: dict[str, str]) -> None:
    patch = merge_patch({"data": asked}, {"data": seen}, ("data",))
    assert _applied({"data": seen}, patch) == {"data": asked}
    assert (patch == {}) == (asked == seen)
