"""The two clients: their requests, answers and errors, and that both have one interface."""

import pickle
from typing import Any

import httpx
import pytest

from linplane import (
    BodyTooLargeError,
    InvalidInputError,
    LinplaneError,
    MalformedRequestError,
    MissingFeatureError,
    NoResponseError,
    Prediction,
    RateLimitedError,
    RefusedError,
    RouteNotFoundError,
    ServerFailedError,
    UnavailableError,
    UnexpectedResponseError,
)
from unit.client.clients import BOTH, Adding, Either, Script, answer, refusal

WHICH_PORT = "is the URL that of the public port (8080 by default)?"
pytestmark = pytest.mark.parametrize("client", BOTH)


def test_prediction_has_value_and_origin(client: Either) -> None:
    found = client(Adding()).predict({"area": 2, "rooms": 0.5})
    assert found == Prediction(2.5, "v1", "sha256:d", "sha256:r", "homes", "current")
    assert float(found) == 2.5


def test_predictions_are_a_sequence_in_the_order_of_the_rows(client: Either) -> None:
    found = client(Adding(), max_body_bytes=30).predict_rows([[number] for number in range(30)])
    assert len(found.batches) > 5
    assert len(found) == 30
    assert found.values == [float(number) for number in range(30)] == [each.value for each in found]
    assert [found[number].value for number in (0, 17, 29, -1, -30)] == [0, 17, 29, 29, 0]
    assert [each.value for each in found[5:20:7]] == [5, 12, 19]
    with pytest.raises(IndexError):
        found[30]
    assert repr(found) == "<Predictions of 30 rows by v1>"
    assert found.versions == ("v1",)


def test_versions_of_several_batches_are_listed_once(client: Either) -> None:
    script = Script(answer([1.0], "v2"), answer([2.0], "v1"), answer([3.0], "v2"))
    found = client(script, max_body_bytes=1).predict_rows([[1], [2], [3]])
    assert found.versions == ("v2", "v1")
    assert [each.version for each in found] == ["v2", "v1", "v2"]


def test_no_rows_send_nothing(client: Either) -> None:
    server = Adding()
    found = client(server).predict_rows([])
    assert (len(found), found.values, found.versions, list(found)) == (0, [], (), [])
    assert server.requests == []
    assert repr(found) == "<Predictions of 0 rows by no version>"


@pytest.mark.parametrize(
    ("url", "route", "options", "target", "host"),
    [
        ("http://server:8080", "homes", {}, "http://server:8080/routes/homes/predict", "server:8080"),
        ("http://server/", None, {}, "http://server/predict", "server"),
        ("https://gate/models/", "homes", {}, "https://gate/models/routes/homes/predict", "gate"),
        ("http://127.0.0.1", None, {"host": "homes.team.svc"}, "http://127.0.0.1/predict", "homes.team.svc"),
    ],
)
def test_request_goes_to_the_route(
    client: Either, url: str, route: str | None, options: dict[str, Any], target: str, host: str
) -> None:
    server = Adding()
    client(server, url, route, headers={"x-user": "u1"}, **options).predict([1], key='a"b')
    (request,) = server.requests
    assert (request.method, str(request.url), request.headers["host"]) == ("POST", target, host)
    assert (request.headers["content-type"], request.headers["x-user"]) == ("application/json", "u1")
    assert request.content == b'{"rows":[[1]],"key":"a\\"b"}'


@pytest.mark.parametrize(
    "url",
    [
        *("", "server:8080", "ftp://server", "http://", "http://\x00", "http://a:x"),
        *("http://a:65536", "http://a?b=1", "http://a#b"),
    ],
)
def test_address_that_is_none_is_refused(client: Either, url: str) -> None:
    with pytest.raises(ValueError, match="url: "):
        client(Adding(), url)


@pytest.mark.parametrize("route", ["", "a/b", "a?b", "Ä", "a b"])
def test_route_that_is_none_is_refused(client: Either, route: str) -> None:
    with pytest.raises(ValueError, match="route: "):
        client(Adding(), route=route)


ERRORS = [
    (400, "malformed", MalformedRequestError),
    (404, "not-found", RouteNotFoundError),
    (405, "method", RefusedError),
    (413, "too-large", BodyTooLargeError),
    (415, "media-type", RefusedError),
    (422, "invalid", InvalidInputError),
    (422, "missing-feature", MissingFeatureError),
    (422, "of-a-later-release", InvalidInputError),
    (429, "rate-limited", RateLimitedError),
    (500, "internal", ServerFailedError),
    (503, "unavailable", UnavailableError),
]


@pytest.mark.parametrize(("status", "kind", "error"), ERRORS)
def test_refusal_is_an_error_of_its_class(client: Either, status: int, kind: str, error: type[RefusedError]) -> None:
    members = {"version": "v2", "requestId": "id-7", "reason": "CurrentFrozen", "later": 1}
    script = Script(refusal(status, kind, **members))
    with pytest.raises(LinplaneError) as caught:
        client(script, retries=0).predict([1])
    assert type(caught.value) is error
    found = caught.value
    assert (found.status, found.kind, found.detail) == (status, kind, f"no: {kind}")
    assert (found.version, found.request_id, found.reason) == ("v2", "id-7", "CurrentFrozen")
    assert (found.pointer, found.row, found.retry_after) == (None, None, None)
    assert str(found) == f"{status}: no: {kind} (CurrentFrozen)"
    again = pickle.loads(pickle.dumps(found))
    assert (type(again), str(again), again.request_id) == (error, str(found), "id-7")


@pytest.mark.parametrize(("pointer", "row", "shown"), [
    ("/rows/1", 4, "/rows/4"),
    ("/rows/0/area", 3, "/rows/3/area"),
    ("/rows/12/1", 15, "/rows/15/1"),
    ("/rows", None, "/rows"),
    ("/rowsandmore/1", None, "/rowsandmore/1"),
    ("/rows/x", None, "/rows/x"),
    ("/key", None, "/key"),
    ("", None, ""),
])  # fmt: skip
def test_row_of_an_error_is_that_of_the_caller(client: Either, pointer: str, row: int | None, shown: str) -> None:
    script = Script(answer([1, 2, 3]), refusal(422, "invalid", pointer=pointer))
    batches = client(script, max_body_bytes=len('{"rows":[[0],[0],[0]]}')).predict_batches([[0]] * 99)
    assert next(batches).values == (1, 2, 3)
    with pytest.raises(InvalidInputError) as caught:
        next(batches)
    assert (caught.value.row, caught.value.pointer) == (row, shown)
    assert str(caught.value) == "422: no: invalid" + (f", at {shown}" if shown else "")


@pytest.mark.parametrize(
    ("response", "text"),
    [
        (httpx.Response(200, text="<html>"), "200: the response has no predictions; is this the public port?"),
        (httpx.Response(200, content=b"\xff"), "200: the response has no predictions"),
        (httpx.Response(200, json={"predictions": [1.0]}), "200: the response has no predictions"),
        (answer([1.0, 2.0]), "200: 2 predictions for 1 rows"),
        (answer([]), "200: 0 predictions for 1 rows"),
        (httpx.Response(502, html="<html>"), "502: not a response of Linplane (text/html; charset=utf-8)"),
        (httpx.Response(404), f"404: not a response of Linplane (no type); {WHICH_PORT}"),
        (refusal(404, "no-path"), f"404: no: no-path; {WHICH_PORT}"),
        (httpx.Response(307, headers={"location": "http://other"}), "307: not a response of Linplane"),
        (httpx.Response(422, json=[], headers={"content-type": "application/problem+json"}), "422: not a response"),
    ],
)
def test_response_of_another_program_is_an_error(client: Either, response: httpx.Response, text: str) -> None:
    with pytest.raises(UnexpectedResponseError) as caught:
        client(Script(response)).predict([1])
    assert str(caught.value).startswith(text)
    assert caught.value.status == response.status_code
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize("row", [7, "area", b"area", None, {1, 2}])
def test_row_that_is_none_sends_nothing(client: Either, row: object) -> None:
    server = Adding()
    with pytest.raises(TypeError, match="row 0: a mapping, a sequence or an array of numbers is needed, not "):
        client(server).predict(row)
    assert server.requests == []


@pytest.mark.parametrize("options", [{"retries": -1}, {"timeout": 0}, {"timeout": -1.0}, {"timeout": float("nan")}])
def test_timing_that_allows_no_answer_is_refused(client: Either, options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(options))}: "):
        client(Adding(), **options)


def test_single_row_of_an_error_is_features(client: Either) -> None:
    for pointer, shown in (("/rows/0/area", "/features/area"), ("/rows/0", "/features")):
        script = Script(refusal(422, "invalid", pointer=pointer))
        with pytest.raises(InvalidInputError) as caught:
            client(script).predict({"area": None})
        assert (caught.value.pointer, caught.value.row) == (shown, 0)
        with pytest.raises(InvalidInputError) as caught:
            client(script).predict_rows([{"area": None}])
        assert (caught.value.pointer, caught.value.row) == (pointer, 0)


def test_error_without_a_response_names_the_url_without_credentials(client: Either) -> None:
    with pytest.raises(NoResponseError) as caught:
        client(Script(httpx.ConnectError("refused")), "http://user:secret@server:99/models/").predict([1])
    assert str(caught.value) == "http://server:99/models: ConnectError: refused"


def test_closed_client_sends_nothing(client: Either) -> None:
    server = Adding()
    one = client(server)
    one.predict([1])
    one.close()
    with pytest.raises(RuntimeError, match="closed") as caught:
        one.predict([1])
    assert isinstance(caught.value, LinplaneError)
    assert len(server.requests) == 1
