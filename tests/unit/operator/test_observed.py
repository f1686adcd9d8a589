"""Typed objects: their fields are the Kubernetes API's, and nothing that comes in ends a reconcile."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kubernetes.aio.client import models
from msgspec.inspect import BoolType, DictType, IntType, StrType, StructType, Type, UnionType, VarTupleType

from linplane_api.canonical import FormatError
from linplane_api.resources import plain
from linplane_operator.compile.observed import (
    UNKNOWN_COUNT,
    Deployment,
    Job,
    JobStatus,
    Meta,
    Observed,
    Pod,
    PodStatus,
    ReplicaReport,
    StatusCondition,
    decode,
    find_condition,
    observe,
)
from unit.operator.builders import Object, pod, report

KINDS: list[type[Observed]] = [Pod, Job, Deployment, ReplicaReport]
PLAIN = {StrType: "str", IntType: "int", BoolType: "bool", DictType: "Dict[str, str]"}
OF_KUBERNETES = {Pod: "V1Pod", Job: "V1Job", Deployment: "V1Deployment"}


def differences(kind: Type, name: str) -> Iterator[str]:
    """How a type differs from what the Kubernetes client says of the API's; `name` as the client writes types."""
    if isinstance(kind, UnionType):
        (kind,) = (one for one in kind.types if not isinstance(one, msgspec.inspect.NoneType))
    if isinstance(kind, VarTupleType):
        if not name.startswith("List["):
            yield f"{name} is not a list"
        yield from differences(kind.item_type, name.removeprefix("List[").removesuffix("]"))
    elif isinstance(kind, StructType):
        client = getattr(models, name)
        python = {wire: attribute for attribute, wire in client.attribute_map.items()}
        for field in kind.fields:
            if field.encode_name not in python:
                yield f"{name} has no {field.encode_name}"
            else:
                yield from differences(field.type, client.openapi_types[python[field.encode_name]])
    else:
        shown = "str" if name == "datetime" else name
        if shown != PLAIN[type(kind)]:
            yield f"{name} is not {PLAIN[type(kind)]}"


@pytest.mark.parametrize("kind", OF_KUBERNETES, ids=lambda kind: kind.__name__)
def test_observed_fields_are_those_of_the_kubernetes_api(kind: type[Observed]) -> None:
    """Compares fields by name and type."""
    info = msgspec.inspect.type_info(kind)
    assert list(differences(info, OF_KUBERNETES[kind])) == []


def test_condition_of_our_kinds_is_one_of_metav1() -> None:
    assert list(differences(msgspec.inspect.type_info(StatusCondition), "V1Condition")) == []


def test_field_of_another_name_or_type_is_found() -> None:
    class Wrong(msgspec.Struct, rename="camel"):
        phase: int = 0
        pod_name: str = ""
        conditions: str = ""

    found = list(differences(msgspec.inspect.type_info(Wrong), "V1PodStatus"))
    assert found == ["str is not int", "V1PodStatus has no podName", "List[V1PodCondition] is not str"]


NAMES = ["metadata", "spec", "status", "report", "name", "labels", "ownerReferences", "conditions", "type", "reason"]
NAMES += ["containerStatuses", "state", "lastState", "waiting", "running", "terminated", "exitCode", "startedAt"]
NAMES += ["replicas", "suspend", "active", "completionTime", "observedGeneration", "generation", "unknown"]
LEAVES = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=4)


def objects(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Object]:
    return st.dictionaries(st.sampled_from(NAMES), values, max_size=4)


UNREADABLE = {
    Pod: Pod(Meta("x", "n", "u", deletion_timestamp="unknown")),
    Job: Job(Meta("x", "n", "u"), status=JobStatus(active=UNKNOWN_COUNT)),
    Deployment: Deployment(Meta("x", "n", "u")),
    ReplicaReport: ReplicaReport(Meta("x", "n", "u")),
}

JSON = st.recursive(LEAVES, lambda some: st.lists(some, max_size=3) | objects(some), max_leaves=12)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(objects(JSON), st.sampled_from(KINDS))
def test_any_json_object_is_decoded_or_refused_with_one_error(body: Object, kind: type[Observed]) -> None:
    """A refused one is still known by name, with nothing else that could be believed."""
    named = {**body, "metadata": {"name": "x", "namespace": "n", "uid": "u"}}
    try:
        found = decode(kind, named)
    except FormatError:
        found = UNREADABLE[kind]
    assert observe(kind, named) == found


BODIES: list[tuple[type[Observed], Object]] = [
    (Pod, pod(reason="Evicted", message="disk")),
    (ReplicaReport, report()),
    (Job, {"metadata": {"name": "j"}, "spec": {"suspend": True}, "status": {"active": 1}}),
    (Deployment, {"metadata": {"generation": 2}, "spec": {"replicas": 0}, "status": {"readyReplicas": 1}}),
]


def with_unknown_fields(value: Any, extra: Any) -> Any:
    """The same JSON value with a field `unknown` in each object that has fields of its own."""
    if isinstance(value, dict):
        return {
            key: with_unknown_fields(item, extra) if key != "labels" else item for key, item in value.items()
        } | extra
    return [with_unknown_fields(item, extra) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("kind", "body"), BODIES, ids=lambda one: getattr(one, "__name__", ""))
def test_unknown_fields_are_ignored_and_known_ones_kept(kind: type[Observed], body: Object) -> None:
    found = decode(kind, body)
    assert found != kind()
    assert decode(kind, with_unknown_fields(body, {"unknown": {"a": [1]}})) == found
    assert decode(kind, plain(found) | {"report": body.get("report")}) == found


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_null_counts_as_absent(kind: type[Observed]) -> None:
    """Go writes times that are not set, and some lists, as null."""
    parts = ("metadata", "spec", "status", "report")
    assert decode(kind, dict.fromkeys(parts)) == decode(kind, {part: {} for part in parts} | {"report": None}) == kind()
    status = {"conditions": None, "completionTime": None, "containerStatuses": [{"state": None, "image": None}]}
    assert decode(kind, {"status": status, "metadata": {"creationTimestamp": None, "annotations": None}}).name == ""


def test_condition_is_found_by_type_and_status() -> None:
    conditions = decode(Pod, pod(ready=False)).status.conditions
    assert find_condition(conditions, "Ready") is None
    assert find_condition(conditions, "Ready", "False") == conditions[0]
    assert find_condition(PodStatus().conditions, "Ready") is None


def test_reference_has_the_fields_that_a_deletion_needs() -> None:
    body = {"metadata": {"name": "j", "namespace": "n", "uid": "u", "resourceVersion": "7", "labels": {"a": "b"}}}
    metadata = {"name": "j", "namespace": "n", "uid": "u", "resourceVersion": "7"}
    assert decode(Job, body).reference() == {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata}


def test_only_the_controller_is_the_owner() -> None:
    owners = [{"uid": "a"}, {"uid": "b", "controller": True}]
    assert decode(Pod, {"metadata": {"ownerReferences": owners}}).controller_uid == "b"
    assert decode(Pod, {"metadata": {"ownerReferences": owners[:1]}}).controller_uid == ""
