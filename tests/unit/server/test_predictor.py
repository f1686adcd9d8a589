"""One request from its fields and bytes to its response, without a network."""

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_api.routing import RateLimit, Unavailable
from linplane_server.errors import TooLarge
from linplane_server.interfaces.mlflow import MLFLOW
from linplane_server.interfaces.native import NATIVE
from linplane_server.interfaces.v1 import V1_PROTOCOL
from linplane_server.interfaces.v2.infer import INFERENCE
from linplane_server.predict.interface import Interface
from linplane_server.predict.rows import compute
from linplane_server.problems import STATUSES
from linplane_server.state.serving import Serving
from unit.server.builders import V1, Client, document, serving

BODY = b'{"features":{"area":2,"rooms":3}}'


@pytest.fixture
async def loaded() -> Serving:
    return await serving(document("homes"), document("pens", current="v2"))


def detail(content: bytes) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(content)
    assert set(body) >= {"type", "title", "status", "detail", "requestId"}
    return body


def test_prediction_names_its_version_route_and_assignment(loaded: Serving) -> None:
    status, headers, content = Client(loaded).ask(BODY, "homes")
    route = loaded.store.snapshot.routes["homes"]
    assert (status, json.loads(content)) == (
        200,
        {"prediction": 35.0, "version": "v1", "route": "homes", "assignedBy": "current"},
    )
    assert headers["content-type"] == "application/json"
    assert headers["content-length"] == str(len(content))
    assert headers["x-linplane-version"] == "v1"
    assert headers["x-linplane-revision"] == route.revision
    assert headers["x-linplane-digest"].startswith("sha256:")


def test_rows_are_all_answered_by_one_version(loaded: Serving) -> None:
    rows = [{"rooms": 3, "area": 2}, [2, 3], [0, 0]]
    status, _, content = Client(loaded).ask(json.dumps({"rows": rows}).encode(), "homes")
    body = {"predictions": [35.0, 35.0, 1.0], "version": "v1", "route": "homes", "assignedBy": "current"}
    assert (status, json.loads(content)) == (200, body)


@given(st.floats(allow_nan=False, allow_infinity=False))
async def test_prediction_reads_back_as_the_same_number(area: float) -> None:
    loaded = await serving(document())
    route = loaded.store.snapshot.routes["homes"]
    assert route.current is not None
    row = {"area": area, "rooms": 0.0}
    status, _, content = Client(loaded).ask(json.dumps({"features": row}).encode())
    batch = Client(loaded).ask(json.dumps({"rows": [row]}).encode())
    assert status == batch[0]
    if status == 200:
        expected = compute(route, route.current, row, "")
        assert (json.loads(content)["prediction"], json.loads(batch[2])["predictions"]) == (expected, [expected])


async def test_assigned_by_names_the_input_that_decided() -> None:
    client = Client(await serving(document(split=[("v2", 5000)], header="X-User-Id")))
    keyed = b'{"features":[2,3],"key":"u"}'
    assert json.loads(client.ask(keyed, x_user_id="h")[2])["assignedBy"] == "key"
    assert json.loads(client.ask(BODY, x_user_id="h")[2])["assignedBy"] == "header"
    assert json.loads(client.ask(BODY)[2])["assignedBy"] == "features"
    by_header = json.loads(client.ask(BODY, x_user_id="ü")[2])["version"]
    assert by_header == json.loads(client.ask('{"features":[2,3],"key":"ü"}'.encode())[2])["version"]


async def test_version_in_the_path_answers_if_the_route_offers_it() -> None:
    split = [("v2", 0), ("v3", 100)]
    versions = {"v1": V1, "v2": {"area": 3.0, "rooms": 20.0}, "v4": V1}
    client = Client(await serving(document(split=split, versions=versions, named={"v3": ("area", "rooms")})))
    seen = {name: client.ask(BODY, version=name) for name in ("v1", "v2", "v3", "v4", "v9")}
    assert {name: answer[0] for name, answer in seen.items()} == {"v1": 200, "v2": 200, "v3": 503, "v4": 404, "v9": 404}
    assert json.loads(seen["v2"][2]) == {"prediction": 67.0, "version": "v2", "route": "homes", "assignedBy": "version"}
    assert json.loads(seen["v3"][2])["reason"] == "VersionNotReady"
    frozen = Unavailable("CurrentFrozen", "v1 is frozen")
    away = Client(await serving(document(versions={}, named={"v1": ("area",)}, unavailable=frozen)))
    assert json.loads(away.ask(BODY, version="v1")[2])["reason"] == "CurrentFrozen"


async def test_boolean_is_answered_as_the_number_that_it_stands_for() -> None:
    client = Client(await serving(document(split=[("v2", 5000)])))
    versions = set()
    for area in range(60):  # the version is assigned by the values
        status, _, content = client.ask(b'{"features":{"area":%d,"rooms":true}}' % area)
        assert content == client.ask(b'{"features":{"area":%d,"rooms":1}}' % area)[2]
        assert status == 200
        versions.add(json.loads(content)["version"])
    assert versions == {"v1", "v2"}


BODIES = {
    "native": (NATIVE, b'{"features":[2]}'),
    "v1": (V1_PROTOCOL, b'{"instances":[2]}'),
    "v2": (INFERENCE, b'{"inputs":[]}'),
    "mlflow": (MLFLOW, b'{"inputs":{"a":[1,2]}}'),
    "mlflow, no JSON": (MLFLOW, b"{"),
}


@pytest.mark.parametrize("case", BODIES)
async def test_route_with_nothing_to_serve_is_503_before_the_body_is_read(case: str) -> None:
    interface, body = BODIES[case]
    never = document("a", current=None, versions={}, unavailable=Unavailable("NeverServed", "never"))
    frozen = document("b", versions={}, named={"v1": ("area",)}, unavailable=Unavailable("CurrentFrozen", "frozen"))
    client = Client(await serving(never, frozen))
    assert [client.ask(body, name, interface=interface)[0] for name in ("a", "b")] == [503, 503]


@pytest.mark.parametrize("coding", ["", " ", "identity", "Identity "])
@pytest.mark.parametrize("interface", [NATIVE, V1_PROTOCOL, INFERENCE, MLFLOW], ids=lambda one: one.protocol)
async def test_coding_that_is_empty_or_identity_is_none(interface: Interface, coding: str) -> None:
    client = Client(await serving(document()))
    usual = client.ask(b"{}", "homes", interface=interface)
    assert client.ask(b"{}", "homes", interface=interface, content_encoding=coding)[0] == usual[0] != 415


HOSTS = [
    ("homes", "homes"),
    ("HOMES", "homes"),
    ("homes:8080", "homes"),
    ("pens.default.svc.cluster.local:80", "pens"),
    ("pens.", "pens"),
    ("localhost", None),
    ("127.0.0.1:8080", None),
    ("[::1]:8080", None),
    ("", None),
    ("other.homes", None),
    ("h\xf6mes", None),
]


@pytest.mark.parametrize(("host", "route"), HOSTS)
def test_route_is_the_first_label_of_host(loaded: Serving, host: str, route: str | None) -> None:
    status, _, content = Client(loaded).ask(BODY, host=host)
    assert (status, json.loads(content).get("route")) == ((200, route) if route else (404, None))


def test_unknown_route_is_404_with_the_ways_to_address_one(loaded: Serving) -> None:
    status, _, content = Client(loaded).ask(BODY, host="absent")
    assert status == 404
    assert "/routes/ROUTE/predict" in detail(content)["detail"]
    assert "absent" not in detail(content)["detail"]


def test_unknown_route_of_a_path_is_404_with_the_list_of_routes(loaded: Serving) -> None:
    status, _, content = Client(loaded).ask(BODY, "absent", host="homes")
    assert (status, detail(content)["detail"]) == (404, "no route of this name is loaded here; GET / lists the routes")


def test_row_without_its_field_is_refused_with_the_form_of_a_body(loaded: Serving) -> None:
    known = "unknown field; features, rows and key are known"
    for body, expected in (
        (b'{"area":123,"rooms":4}', f'{known}; wrap a row: {{"features": {{...}}}}'),
        (b'{"features":[1,2],"area":123}', known),
    ):
        status, _, content = Client(loaded).ask(body, "homes")
        assert (status, detail(content)["detail"]) == (422, expected)


async def test_single_route_answers_any_host_if_configured() -> None:
    one = await serving(document("homes"))
    assert Client(one).ask(BODY, host="localhost")[0] == 200
    assert Client(one, single_route=False).ask(BODY, host="localhost")[0] == 404
    assert Client(one).ask(BODY, "other")[0] == 404
    assert Client(await serving(document("homes"), document("pens"))).ask(BODY, host="localhost")[0] == 404


TYPES = [
    ({}, 200),
    ({"content_type": "application/json"}, 200),
    ({"content_type": "application/json; charset=utf-8"}, 200),
    ({"content_type": "Application/JSON"}, 200),
    ({"content_type": "application/vnd.acme.v1+json"}, 200),
    ({"content_type": "text/json"}, 415),
    ({"content_type": "text/plain"}, 415),
    ({"content_type": "application/x-www-form-urlencoded"}, 200),  # curl -d says so of JSON
    ({"content_type": "application/jsonp"}, 415),
    ({"content_type": ""}, 415),
    ({"content_encoding": "gzip"}, 415),
    ({"content_encoding": "identity"}, 200),
]


@pytest.mark.parametrize(("headers", "expected"), TYPES)
def test_content_type_must_be_json_or_absent(loaded: Serving, headers: dict[str, str], expected: int) -> None:
    assert Client(loaded).ask(BODY, "homes", **headers)[0] == expected


@pytest.mark.parametrize("sane", ["a", "A.b_c-9", "x" * 64])
def test_request_id_that_is_a_short_token_is_echoed(loaded: Serving, sane: str) -> None:
    assert Client(loaded).ask(BODY, "homes", x_request_id=sane)[1]["x-request-id"] == sane


@pytest.mark.parametrize("strange", ["", "x" * 65, "a b", "a\r\nset-cookie: x", "ä", "<b>", "a\n"])
def test_request_id_of_any_other_form_is_replaced(loaded: Serving, strange: str) -> None:
    client = Client(loaded)
    made = [client.ask(BODY, "homes", x_request_id=strange)[1]["x-request-id"] for _ in range(2)]
    assert strange not in made
    assert len(set(made)) == 2


def test_methods_other_than_post_are_405(loaded: Serving) -> None:
    status, headers, _ = Client(loaded).ask(BODY, "homes", method="GET")
    assert (status, headers["allow"]) == (405, "POST")


def test_body_that_was_not_read_is_refused_with_its_reason(loaded: Serving) -> None:
    assert Client(loaded).ask(TooLarge("over"), "homes")[0] == 413


def test_missing_feature_is_named_with_the_version(loaded: Serving) -> None:
    status, _, content = Client(loaded).ask(b'{"rows":[[1,2],{"area":1}]}', "homes")
    body = detail(content)
    assert (status, body["pointer"], body["version"]) == (422, "/rows/1/rooms", "v1")
    assert "version v1 needs the feature rooms" in body["detail"]
    assert loaded.counters.versions("homes")["v1"].errors == {"missing_feature": 1}


async def test_frozen_current_version_is_503_with_the_reason_and_the_candidate_still_answers() -> None:
    frozen = document(
        versions={"v2": V1}, split=[("v2", 5000)], unavailable=Unavailable("CurrentFrozen", "v1 is frozen")
    )
    loaded = await serving(frozen)
    answers = [Client(loaded).ask(b'{"features":[1,2],"key":"%d"}' % i) for i in range(60)]
    assert {status for status, _, _ in answers} == {200, 503}
    refused = detail(next(content for status, _, content in answers if status == 503))
    assert (refused["reason"], refused["detail"], refused["version"]) == ("CurrentFrozen", "v1 is frozen", "v1")
    counted = loaded.counters.versions("homes")
    assert counted["v1"].errors["unavailable"] + counted["v2"].requests == 60


async def test_route_that_never_served_is_503() -> None:
    never = document(current=None, versions={}, unavailable=Unavailable("NeverServed", "no version is Ready yet"))
    loaded = await serving(never)
    assert Client(loaded).ask(b'{"features":{}}')[0] == 503


async def test_rate_limit_is_429_with_a_time_to_wait_by_address_and_not_by_key() -> None:
    client = Client(await serving(document(limit=RateLimit(0.1, 2, "Client"))))
    answers = [client.ask(b'{"features":[1,2],"key":"%d"}' % i) for i in range(3)]
    assert [status for status, _, _ in answers] == [200, 200, 429]
    assert answers[2][1]["retry-after"] == "10"
    assert client.ask(BODY, x_forwarded_for="198.51.100.7")[0] == 429
    assert client.ask(BODY, peer="192.0.2.2")[0] == 200


async def test_route_limit_counts_all_clients_together() -> None:
    client = Client(await serving(document(limit=RateLimit(1, 4, "Route", replicas=2))))
    assert [client.ask(BODY, peer=f"192.0.2.{i}")[0] for i in range(3)] == [200, 200, 429]


async def test_bug_is_500_and_logged_without_the_input(caplog: pytest.LogCaptureFixture) -> None:
    loaded = await serving(document())
    loaded.store.snapshot.routes["homes"].current.coefficients = None  # type: ignore[union-attr,assignment]
    with caplog.at_level(logging.ERROR):
        status, _, content = Client(loaded).ask(b'{"features":{"area":424242,"rooms":1}}')
    assert status == 500
    assert "Traceback" not in content.decode()
    assert "424242" not in caplog.text
    assert loaded.counters.versions("homes")[""].errors == {"internal": 1}


SECRET = "sEcReT"
json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.just(SECRET) | st.just(424242),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["features", "rows", "key", "area", "rooms", "x\x1b\n"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(json_values, st.sampled_from(["homes", SECRET]), st.sampled_from(["application/json", SECRET]))
async def test_refusals_echo_no_value_key_or_control_character(value: object, route: str, kind: str) -> None:
    client = Client(await serving(document(split=[("v2", 5000)])))
    status, headers, content = client.ask(json.dumps(value).encode(), route, content_type=kind)
    assert status in {200, *(status for status, _ in STATUSES.values())} - {500}
    answer = str(headers) + str(json.loads(content).get("detail", ""))
    assert SECRET not in answer
    assert "424242" not in answer
    assert "\x1b" not in answer
    assert SECRET not in content.decode()
