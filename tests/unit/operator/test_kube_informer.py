"""The cache is as new as what was seen, whatever the order in which it arrives."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from linplane_api.kinds import CONFIG_MAP, JOB, LINEAR_MODEL, POD
from linplane_operator.kube.informer import Informer, slim
from linplane_operator.observe.cache import ObjectCache
from linplane_operator.runtime.enqueue import WorkKey


def model(version: int, uid: str = "u1", name: str = "m-v1") -> dict[str, Any]:
    metadata = {"namespace": "n", "name": name, "uid": uid, "resourceVersion": str(version)}
    return {"apiVersion": "linplane.dev/v1alpha1", "kind": "LinearModel", "metadata": metadata, "spec": {"model": "m"}}


def fed() -> tuple[Informer, ObjectCache, set[WorkKey]]:
    cache, asked = ObjectCache(), set()
    return Informer(cache, asked.update), cache, asked


def test_a_new_object_is_reconciled() -> None:
    informer, cache, asked = fed()
    informer.seen(LINEAR_MODEL, model(5))
    assert cache.get(LINEAR_MODEL, "n", "m-v1")
    assert asked == {("LinearModel", "n", "m-v1")}


def test_what_is_older_or_the_same_changes_nothing() -> None:
    informer, cache, asked = fed()
    informer.seen(LINEAR_MODEL, model(5))
    asked.clear()
    informer.seen(LINEAR_MODEL, model(4))
    informer.seen(LINEAR_MODEL, model(5))
    assert asked == set()
    assert cache.get(LINEAR_MODEL, "n", "m-v1") == slim(LINEAR_MODEL, model(5))


def test_equal_short_texts_of_many_objects_are_one() -> None:
    one, other = (
        slim(LINEAR_MODEL, json.loads(json.dumps({**model(5), "status": {"at": ["a time", "x" * 1000, 1.5, None]}})))
        for _ in range(2)
    )
    assert one == other == {**model(5), "status": {"at": ["a time", "x" * 1000, 1.5, None]}}
    assert one["status"]["at"][0] is other["status"]["at"][0]
    assert one["metadata"]["uid"] is other["metadata"]["uid"]
    assert all(key is same for key, same in zip(one["metadata"], other["metadata"], strict=True))
    assert one["status"]["at"][1] is not other["status"]["at"][1]


def test_a_deletion_is_of_that_very_object() -> None:
    informer, cache, _ = fed()
    informer.seen(LINEAR_MODEL, model(9, "u2"))
    informer.deleted(LINEAR_MODEL, model(7, "u1"))
    assert cache.get(LINEAR_MODEL, "n", "m-v1")
    informer.deleted(LINEAR_MODEL, model(10, "u2"))
    assert cache.get(LINEAR_MODEL, "n", "m-v1") is None


def test_what_was_deleted_does_not_come_back_by_a_late_event() -> None:
    informer, cache, _ = fed()
    informer.seen(LINEAR_MODEL, model(5))
    informer.deleted(LINEAR_MODEL, model(6))
    informer.seen(LINEAR_MODEL, model(5))
    assert cache.get(LINEAR_MODEL, "n", "m-v1") is None


def test_what_a_complete_list_has_not_is_named() -> None:
    informer, _, _ = fed()
    informer.seen(LINEAR_MODEL, model(5))
    informer.seen(LINEAR_MODEL, model(6, "u2", "m-v2"))
    missing = informer.missing(LINEAR_MODEL, None, {("n", "m-v2")})
    assert [body["metadata"]["name"] for body in missing] == ["m-v1"]


@given(st.permutations(range(1, 6)))
def test_the_order_of_events_does_not_matter(order: list[int]) -> None:
    informer, cache, _ = fed()
    for version in order:
        informer.seen(LINEAR_MODEL, model(version))
    found = cache.get(LINEAR_MODEL, "n", "m-v1")
    assert found
    assert found["metadata"]["resourceVersion"] == "5"


def test_what_nobody_reads_is_not_kept() -> None:
    body = {
        "metadata": {
            "name": "c",
            "managedFields": [1],
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "x"},
        },
        "data": {"a": "1"},
        "binaryData": {"b": "AA=="},
    }
    kept = {"metadata": {"name": "c", "annotations": {}}, "data": {"a": "1"}, "binaryData": {"b": ""}}
    assert slim(CONFIG_MAP, body) == kept, "the keys of binary values tell why there is no text"
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{}]}, "status": {"phase": "Running"}}
    assert slim(POD, pod) == {"metadata": {"name": "p"}, "status": {"phase": "Running"}}
    assert slim(JOB, pod) == pod, "an apply compares the spec"


def test_the_first_lists_name_nothing() -> None:
    """All of it is reconciled after them."""
    informer, cache, asked = fed()
    informer.silent = True
    informer.seen(LINEAR_MODEL, model(5))
    informer.silent = False
    assert cache.get(LINEAR_MODEL, "n", "m-v1")
    assert asked == set()
