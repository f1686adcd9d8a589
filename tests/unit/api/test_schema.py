"""The structural half: the API server's words, its defaults, and no object that makes it raise."""

import datetime
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linplane_api.manifests.schema import Problem, Structure, matches
from linplane_api.manifests.validation import load_schemas

SCHEMAS = load_schemas()


def _server(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "linplane.dev/v1alpha1", "kind": "ModelServer", "metadata": {"name": "a"}, "spec": spec}


def _model(**spec: Any) -> dict[str, Any]:
    body = {"model": "m", "version": "v1", **spec}
    return {"apiVersion": "linplane.dev/v1alpha1", "kind": "LinearModel", "metadata": {"name": "m-v1"}, "spec": body}


WORDS: list[tuple[dict[str, Any], str, str]] = [
    ({"replicas": "2"}, "spec.replicas",
     'Invalid value: "string": spec.replicas in body must be of type integer: "string"'),
    ({"replicas": 1001}, "spec.replicas",
     "Invalid value: 1001: spec.replicas in body should be less than or equal to 1000"),
    ({"image": "a b"}, "spec.image", "Invalid value: \"a b\": spec.image in body should match '^[!-~]*$'"),
    ({"image": ""}, "spec.image", 'Invalid value: "": spec.image in body should be at least 1 chars long'),
    ({"image": "x" * 513}, "spec.image", "Too long: may not be more than 512 bytes"),
    ({"trustedProxies": ["::/0", "::/0"]}, "spec.trustedProxies[1]", 'Duplicate value: "::/0"'),
    ({"labels": {f"l{i}": "" for i in range(33)}}, "spec.labels", "Too many: 33: must have at most 32 items"),
    ({"tolerations": [{"operator": "In"}]}, "spec.tolerations[0].operator",
     'Unsupported value: "In": supported values: "Exists", "Equal"'),
    ({"imagePullSecrets": [{}]}, "spec.imagePullSecrets[0].name", "Required value"),
    ({"tolerations": [{"who": 1}]}, "spec.tolerations[0].who", 'unknown field "spec.tolerations[0].who"'),
    ({"tolerations": [None]}, "spec.tolerations[0]",
     'Invalid value: "null": spec.tolerations[0] in body must be of type object: "null"'),
    ({"resources": {"limits": {"cpu": True}}}, "spec.resources.limits.cpu",
     'Invalid value: "boolean": spec.resources.limits.cpu in body must be of type integer,string: "boolean"'),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "field", "message"), WORDS)
def test_messages_are_those_of_the_api_server(spec: dict[str, Any], field: str, message: str) -> None:
    assert SCHEMAS.validate(_server(**spec)) == [Problem(field, message)]


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({}, "metadata.name"),
        ({"name": "A"}, "metadata.name"),
        ({"name": "a.b..c"}, "metadata.name"),
        ({"name": "a\n"}, "metadata.name"),
        ({"name": 1}, "metadata.name"),
        ({"name": "a", "namespace": "A"}, "metadata.namespace"),
        ({"name": "a", "labels": {"a": 1}}, "metadata.labels.a"),
        ({"name": "a", "labels": {"a": "b c"}}, "metadata.labels.a"),
        ({"name": "a", "annotations": []}, "metadata.annotations"),
        ({"name": "a", "lables": {}}, "metadata.lables"),
    ],
)
def test_metadata_is_checked_as_well(metadata: dict[str, Any], field: str) -> None:
    assert [problem.field for problem in SCHEMAS.validate(_server() | {"metadata": metadata})] == [field]


def test_metadata_that_an_api_server_adds_is_accepted() -> None:
    added = {"uid": "u", "resourceVersion": "1", "generation": 2, "managedFields": [{}], "ownerReferences": [{}]}
    dates = {"creationTimestamp": "2026-01-01T00:00:00Z", "namespace": "n", "labels": {"a/b": "c"}}
    assert SCHEMAS.validate(_server() | {"metadata": {"name": "a", **added, **dates}}) == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (None, ""),
        ([], ""),
        ({}, "apiVersion"),
        ({"apiVersion": "linplane.dev/v1alpha1"}, "kind"),
        ({"apiVersion": "linplane.dev/v1", "kind": "ModelServer"}, "kind"),
        ({"apiVersion": "linplane.dev/v1alpha1", "kind": ["ModelServer"]}, "kind"),
        ({"apiVersion": "linplane.dev/v1alpha1", "kind": "ModelServer"}, "metadata"),
    ],
)
def test_object_of_an_unknown_kind_is_a_problem(body: Any, field: str) -> None:
    assert [problem.field for problem in SCHEMAS.validate(body)] == [field]


def test_defaults_are_filled_in_if_their_object_exists() -> None:
    route = {"model": "m", "version": "v1", "rateLimit": {"requestsPerSecond": 5}}
    body = {"apiVersion": "linplane.dev/v1alpha1", "kind": "ModelRoute", "metadata": {"name": "a"}, "spec": route}
    assert SCHEMAS.with_defaults(body)["spec"] == {
        **route,
        "serverName": "default",
        "rateLimit": {"requestsPerSecond": 5, "per": "Client"},
    }
    training = SCHEMAS.with_defaults(_model(training={"data": {"synthetic": {"samples": 9}}}))["spec"]["training"]
    assert training == {
        "data": {"synthetic": {"samples": 9, "featureCount": 3, "noise": "0.1"}},
        "fitIntercept": True,
        "ridge": "0",
        "holdoutPercent": 20,
        "seed": 0,
    }
    assert "frozen" not in SCHEMAS.with_defaults(_model())["spec"]
    assert SCHEMAS.with_defaults({"apiVersion": "v1", "kind": "ConfigMap", "data": {}})["data"] == {}


def test_server_needs_no_spec() -> None:
    body = _server()
    del body["spec"]
    assert SCHEMAS.validate(body) == []
    assert SCHEMAS.with_defaults(body)["spec"] == {"replicas": 2}


def test_defaults_leave_their_object_alone() -> None:
    body = _server(image=None, replicas=2.0)
    complete = SCHEMAS.with_defaults(body)
    assert complete["spec"] == {"replicas": 2}
    assert isinstance(complete["spec"]["replicas"], int)
    assert body["spec"] == {"image": None, "replicas": 2.0}


def test_null_is_no_value_for_an_unknown_field() -> None:
    for body, field in ((_server(new=None), "spec.new"), ({**_server(), "new": None}, "new")):
        assert list(map(str, SCHEMAS.validate(body))) == [f'{field}: unknown field "{field}"']


def test_null_is_an_absent_field() -> None:
    assert (
        SCHEMAS.validate(_model(weights={"configMapKeyRef": {"name": "a", "key": "b"}}, training=None, frozen=None))
        == []
    )


TIMES = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123456+02:00", "2026-01-01t00:00:00z")
NO_TIMES = ("2026-01-01", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z", "2026-W01-1T00:00:00Z", "", "now")


def test_dates_are_rfc_3339() -> None:
    judge = Structure({"type": "string", "format": "date-time"}).problems
    assert [text for text in (*TIMES, *NO_TIMES) if not judge(text)] == list(TIMES)


NETWORKS = ("10.0.0.0/8", "10.1.2.3/32", "::/0", "fd00::/8", "::ffff:10.0.0.0/104")
NO_NETWORKS = ("10.0.0.0", "10.0.0.0/33", "10.0.0/8", "1::2::3/64", "fe80::1%eth0/64", "10.0.0.0/255.0.0.0", "x/8", "")


def test_networks_are_cidr() -> None:
    judge = Structure({"type": "string", "format": "cidr"}).problems
    assert [text for text in (*NETWORKS, *NO_NETWORKS) if not judge(text)] == list(NETWORKS)


def test_pattern_ends_where_the_text_ends() -> None:
    assert matches("^a$", "a")
    assert not matches("^a$", "a\n")
    assert not matches("^[0-9]$", "٣")


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | st.integers(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = sorted(
    {
        *("model", "version", "frozen", "weights", "training", "acceptance", "split", "splitKey", "rateLimit"),
        *("serverName", "replicas", "trustedProxies", "labels", "tolerations", "resources"),
    }
)


@settings(max_examples=400, deadline=None)
@given(
    kind=st.sampled_from(["LinearModel", "ModelRoute", "ModelServer", "ReplicaReport"]),
    spec=st.dictionaries(st.sampled_from(FIELDS), JUNK, max_size=5) | JUNK,
    old=JUNK | st.dictionaries(st.sampled_from(["spec", "status", "metadata"]), JUNK),
)
def test_validation_never_raises(kind: str, spec: Any, old: Any) -> None:
    body = {"apiVersion": "linplane.dev/v1alpha1", "kind": kind, "metadata": {"name": "a"}, "spec": spec}
    for problem in SCHEMAS.validate(body, old):
        assert problem.message


def test_object_within_itself_is_a_problem() -> None:
    spec: dict[str, Any] = {}
    spec["labels"] = spec
    assert SCHEMAS.validate(_server(**spec)) == [Problem("", "nested too deep")]


def test_values_that_yaml_has_and_json_has_not_are_a_problem() -> None:
    (problem,) = SCHEMAS.validate(_server(image=datetime.date(2026, 1, 1)))
    assert problem.field == "spec.image"
    assert "must be of type string" in problem.message


def test_validation_of_a_thousand_objects_takes_little_time() -> None:
    """One core judges a thousand in well under a second; five times that is left for a busy machine."""
    data = {"configMapKeyRef": {"name": "a", "key": "b"}}
    body = _model(training={"data": data, "features": ["a", "b"], "target": "c", "ridge": "1e-6"})
    assert SCHEMAS.validate(body, body) == []
    start = time.process_time()
    for _ in range(1000):
        SCHEMAS.validate(body, body)
    assert time.process_time() - start < 5
