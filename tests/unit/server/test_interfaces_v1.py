"""KServe's V1 protocol: the same numbers as by /predict, and its own errors."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_api.routing import RateLimit, Unavailable
from linplane_server.errors import TooLarge
from linplane_server.interfaces.v1 import V1_PROTOCOL
from linplane_server.predict.interface import Call
from linplane_server.state.serving import Serving
from unit.server.builders import V1, Client, document, serving
from unit.server.strategies import SECRET, numbers, texts_of, wild_bodies


@pytest.fixture
async def loaded() -> Serving:
    return await serving(document("homes"), document("pens", current="v2"))


def ask(client: Client, body: object, route: str = "homes", **headers: str) -> tuple[int, dict[str, str], Any]:
    data = body if isinstance(body, bytes | TooLarge) else json.dumps(body).encode()
    status, out, content = client.ask(data, route, interface=V1_PROTOCOL, **headers)
    assert out["content-type"] == "application/json"
    assert out["content-length"] == str(len(content))
    assert out["x-request-id"]
    return status, out, json.loads(content)


FORMS: list[Any] = [
    {"instances": [[2, 3]]},
    {"instances": [{"rooms": 3, "area": 2.0}]},
    {"inputs": [[2, 3]]},
    {"inputs": [{"area": 2, "rooms": 3}]},
    {"instances": [[2, 3]], "key": "user-42"},
    {"instances": [[2, 3]], "signature_name": "serving_default"},
    {"instances": [[2, 3]], "id": "1", "model_name": "homes", "parameters": {"a": {"b": [{"c": [[None]]}]}}},
]


@pytest.mark.parametrize("body", FORMS)
def test_v1_form_is_answered_as_by_predict(loaded: Serving, body: Any) -> None:
    status, headers, answer = ask(Client(loaded), body)
    assert (status, answer) == (200, {"predictions": [35.0]})
    by_predict = Client(loaded).ask(b'{"features":{"area":2,"rooms":3}}', "homes")[1]
    for name in ("x-linplane-version", "x-linplane-digest", "x-linplane-revision"):
        assert headers[name] == by_predict[name]


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=3), st.booleans(), st.none() | st.text(max_size=3))
async def test_v1_prediction_has_the_bits_of_predict(
    rows: list[tuple[float, float]], by_name: bool, key: str | None
) -> None:
    client = Client(await serving(document(split=[("v2", 5000)])))
    more = {} if key is None else {"key": key}
    shown: list[Any] = [{"rooms": b, "area": a} if by_name else [a, b] for a, b in rows]
    status, headers, answer = ask(client, {"instances": shown, **more})
    same = json.dumps({"rows": [[float(a), float(b)] for a, b in rows], **more}).encode()
    expected, out, content = client.ask(same, "homes")
    assert status == {422: 400}.get(expected, expected)
    if status == 200:
        assert repr(answer["predictions"]) == repr(json.loads(content)["predictions"])
        assert headers["x-linplane-version"] == out["x-linplane-version"]


def test_v1_true_and_false_are_numbers_and_texts_are_not(loaded: Serving) -> None:
    client = Client(loaded)
    assert ask(client, {"instances": [[True, False], {"area": 1, "rooms": True}]})[2] == {"predictions": [3.0, 13.0]}
    for text in ("1", "true", ""):
        assert ask(client, {"instances": [[1, text]]})[0] == 400


def test_v1_values_are_floats_however_they_are_written(loaded: Serving) -> None:
    data = b'{"instances":[[-0.0,9007199254740993],[true,1]]}'
    call = Call("POST", [], {}, "", data)
    asked = V1_PROTOCOL.decode(loaded.store.snapshot.routes["homes"], call)
    assert repr(asked.rows) == "[[-0.0, 9007199254740992.0], [1.0, 1.0]]"


NOT_FINITE = "a finite number is needed, not NaN, an infinity or a number out of range"
REFUSED: list[tuple[Any, str]] = [
    (b"", "not JSON (line 1, column 1)"),
    (b"\xff", "not UTF-8 (byte 0)"),
    (b'{"instances":[[1,2]],"instances":[[1,2]]}', "an object has a duplicate key"),
    (b'{"instances":[{"area":1,"area":2}]}', "an object has a duplicate key"),
    (b'{"instances":[[1,2]],"parameters":{"a":1,"a":2}}', "an object has a duplicate key"),
    (b'{"instances":[[1,2]],"key":"\\ud800"}', "not JSON: a number is out of range, or a text is not valid Unicode"),
    (b'{"instances":' + b"[" * 60_000, "not JSON: nested too deep"),
    (b"[[1,2]]", "an object is needed, not an array"),
    ({}, "exactly one of instances and inputs is needed"),
    ({"instances": [[1, 2]], "inputs": [[1, 2]]}, "exactly one of instances and inputs is needed"),
    ({"instances": [[1, 2]], SECRET: 1}, "unknown field; instances, inputs and key are known"),
    ({"instances": {"area": 1}}, "/instances: an array is needed, not an object"),
    ({"instances": SECRET}, "/instances: an array is needed, not a text"),
    ({"instances": []}, "/instances: at least one row is needed"),
    ({"instances": [[1, 2], 7]}, "/instances/1: an object or an array is needed, not a number"),
    ({"instances": [[1, 2], [1, [2]]]}, "/instances/1/1: a finite number is needed, not an array"),
    ({"inputs": [[1, SECRET]]}, "/inputs/0/1: a finite number is needed, not a text"),
    ({"inputs": [[1, None]]}, "/inputs/0/1: a finite number is needed, not null"),
    (b'{"instances":[[1,NaN]]}', f"/instances/0/1: {NOT_FINITE}"),
    (b'{"instances":[[1,1e400]]}', f"/instances/0/1: {NOT_FINITE}"),
    (b'{"instances":[[1,-%s]]}' % (b"9" * 5000), f"/instances/0/1: {NOT_FINITE}"),
    ({"instances": [[1, 2]], "key": 7}, "/key: a text is needed, not a number"),
    ({"instances": [[1, 2, 3]]}, "/instances/0: 2 values are needed, in this order: area, rooms; 3 are given"),
    ({"instances": [[1, 2], {"area": 1}]}, "/instances/1/rooms: version v1 needs the feature rooms"),
    ({"instances": [{"area": 1, "rooms": 2, "x": 3}]}, "/instances/0: unknown feature x; the route takes area, rooms"),
    ({"instances": [{"x": SECRET}]}, "/instances/0: unknown feature x; send only features of the route"),
    (
        {"instances": [[1e308, 1e308]]},
        "/instances/0: the prediction is not a finite number: these values are too large",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("body", "error"), REFUSED)
def test_v1_malformed_body_is_400_with_its_place(loaded: Serving, body: Any, error: str) -> None:
    status, _, answer = ask(Client(loaded), body)
    assert (status, answer) == (400, {"error": error})


async def test_v1_refusals_have_their_status(loaded: Serving) -> None:
    client = Client(loaded)
    good = {"instances": [[1, 2]]}
    assert ask(client, good, "absent")[0] == 404
    assert "absent" not in ask(client, good, "absent")[2]["error"]
    assert ask(client, good, content_type="text/plain")[0] == 415
    assert ask(client, good, content_encoding="gzip")[0] == 415
    assert ask(client, TooLarge("over"))[0] == 413
    status, headers, content = client.ask(b"", "homes", method="GET", interface=V1_PROTOCOL)
    assert (status, headers["allow"], json.loads(content)) == (
        405,
        "POST",
        {"error": "predictions are requested by POST"},
    )
    limited = Client(await serving(document(limit=RateLimit(0.1, 1, "Client"))))
    assert ask(limited, good)[0] == 200
    status, headers, _ = ask(limited, good)
    assert (status, headers["retry-after"]) == (429, "10")
    frozen = document(versions={"v2": V1}, unavailable=Unavailable("CurrentFrozen", "v1 is frozen"))
    assert ask(Client(await serving(frozen)), good)[::2] == (503, {"error": "v1 is frozen"})


def test_v1_requests_are_counted_under_their_protocol(loaded: Serving) -> None:
    ask(Client(loaded), {"instances": [[1, 2]]})
    assert loaded.counters.versions("homes")["v1"].protocols["v1"] == 1


@given(wild_bodies(["instances", "inputs", "key", "area", "rooms", "id", "parameters"]), texts_of("application/json"))
async def test_v1_answers_no_body_with_a_500_and_repeats_no_value(body: bytes, kind: str) -> None:
    client = Client(await serving(document(split=[("v2", 5000)])))
    status, headers, answer = ask(client, body, content_type=kind)
    assert status in {200, 400, 415}
    assert SECRET not in str(headers) + json.dumps(answer)
    assert "424242" not in str(headers) + json.dumps(answer.get("error"))
