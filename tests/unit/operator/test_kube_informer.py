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


def make_informer() -> tuple[Informer, ObjectCache, set[WorkKey]]:
    cache, enqueued = ObjectCache(), set()
    return Informer(cache, enqueued.update), cache, enqueued


def test_new_object_is_enqueued() -> None:
    informer, cache, enqueued = make_informer()
    informer.seen(LINEAR_MODEL, model(5))
    assert cache.get(LINEAR_MODEL, "n", "m-v1")
    assert enqueued == {("LinearModel", "n", "m-v1")}


def test_older_or_equal_object_is_ignored() -> None:
    informer, cache, enqueued = make_informer()
    informer.seen(LINEAR_MODEL, model(5))
    enqueued.clear()
    informer.seen(LINEAR_MODEL, model(4))
    informer.seen(LINEAR_MODEL, model(5))
    assert enqueued == set()
    assert cache.get(LINEAR_MODEL, "n", "m-v1") == slim(LINEAR_MODEL, model(5))


def test_short_texts_of_many_objects_are_shared() -> None:
    one, other = (
        slim(LINEAR_MODEL, json.loads(json.dumps({**model(5), "status": {"at": ["a time", "x" * 1000, 1.5, None]}})))
        for _ in range(2)
    )
    assert one == other == {**model(5), "status": {"at": ["a time", "x" * 1000, 1.5, None]}}
    assert one["status"]["at"][0] is other["status"]["at"][0]
    assert one["metadata"]["uid"] is other["metadata"]["uid"]
    assert all(key is same for key, same in zip(one["metadata"], other["metadata"], strict=True))
    assert one["status"]["at"][1] is not other["status"]["at"][1]


def test_deletion_removes_only_the_same_uid() -> None:
    informer, cache, _ = make_informer()
    informer.seen(LINEAR_MODEL, model(9, "u2"))
    informer.deleted(LINEAR_MODEL, model(7, "u1"))
    assert cache.get(LINEAR_MODEL, "n", "m-v1")
    informer.deleted(LINEAR_MODEL, model(10, "u2"))
    assert cache.get(LINEAR_MODEL, "n", "m-v1") is None


def test_deleted_object_is_not_restored_by_a_late_event() -> None:
    informer, cache, _ = make_informer()
    informer.seen(LINEAR_MODEL, model(5))
    informer.deleted(LINEAR_MODEL, model(6))
    informer.seen(LINEAR_MODEL, model(5))
    assert cache.get(LINEAR_MODEL, "n", "m-v1") is None


def test_missing_objects_of_a_complete_list() -> None:
    informer, _, _ = make_informer()
    informer.seen(LINEAR_MODEL, model(5))
    informer.seen(LINEAR_MODEL, model(6, "u2", "m-v2"))
    missing = informer.missing(LINEAR_MODEL, None, {("n", "m-v2")})
    assert [body["metadata"]["name"] for body in missing] == ["m-v1"]


@given(st.permutations(range(1, 6)))
def test_events_in_any_order_give_the_same_cache(order: list[int]) -> None:
    informer, cache, _ = make_informer()
    for version in order:
        informer.seen(LINEAR_MODEL, model(version))
    found = cache.get(LINEAR_MODEL, "n", "m-v1")
    assert found
    assert found["metadata"]["resourceVersion"] == "5"


def test_slim_drops_unread_parts() -> None:
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


def test_silent_informer_enqueues_nothing() -> None:
    """All of it is reconciled after them."""
    informer, cache, enqueued = make_informer()
    informer.silent = True
    informer.seen(LINEAR_MODEL, model(5))
    informer.silent = False
    assert cache.get(LINEAR_MODEL, "n", "m-v1")
    assert enqueued == set()
