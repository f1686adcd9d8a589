"""Every refusal with its status, headers and body, byte by byte."""

import ast
import inspect
import json
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from linplane_server import errors, problems
from linplane_server.admin.access import FAILURES, Access
from linplane_server.admin.backend import AdminBackend
from linplane_server.admin.endpoint import AdminEndpoint
from linplane_server.http.docs import problem_response
from linplane_server.problems import STATUSES, refusal_response
from linplane_server.state.snapshot_store import SnapshotStore
from unit.server.builders import Clock, refusal_types

TEXTS: dict[type[errors.Refusal], str] = {
    errors.RateLimited: "the rate limit of this route is used up; try again later",
    errors.Overloaded: "the server holds as many bodies as it may; try again later, or send fewer rows per request",
}
PREDICTIONS = [
    (errors.Malformed("d"), 400, "malformed", "Malformed request", {}, []),
    (errors.RouteNotFound("d"), 404, "not-found", "Not found", {}, []),
    (errors.VersionNotFound("d"), 404, "not-found", "Not found", {}, []),
    (errors.MethodNotAllowed("d"), 405, "method", "Method not allowed", {}, [(b"allow", b"POST")]),
    (errors.TooLarge("d"), 413, "too-large", "Body too large", {}, []),
    (errors.UnsupportedBody("d"), 415, "media-type", "Unsupported media type", {}, []),
    (errors.Invalid("", "d"), 422, "invalid", "Invalid input", {"pointer": ""}, []),
    (errors.Invalid("/rows/1", "d", "v1"), 422, "invalid", "Invalid input", {"pointer": "/rows/1"}, []),
    (errors.MissingFeature("/a", "d", "v1", []), 422, "missing-feature", "A feature is missing", {"pointer": "/a"}, []),
    (errors.RateLimited(7), 429, "rate-limited", "Too many requests", {}, [(b"retry-after", b"7")]),
    (errors.Internal("d"), 500, "internal", "Internal error", {}, []),
    (errors.NothingToServe("Why", "d", None), 503, "unavailable", "Nothing to serve", {"reason": "Why"}, []),
    (errors.NothingToServe("Why", "d", "v1"), 503, "unavailable", "Nothing to serve", {"reason": "Why"}, []),
    (errors.Overloaded(), 503, "overloaded", "Too many bodies", {}, [(b"retry-after", b"1")]),
]  # fmt: skip

ADMIN = [
    (errors.Unauthenticated("Why", "d"), 401, "Not authenticated", [(b"www-authenticate", b"Bearer")]),
    (errors.Forbidden("Why", "d"), 403, "Not allowed", []),
    (errors.NotFound("Why", "d"), 404, "Not found", []),
    (errors.Conflict("Why", "d"), 409, "Conflict", []),
    (errors.PreconditionFailed("Why", "d"), 412, "Precondition failed", []),
    (errors.Refused("Why", "d"), 422, "Refused", []),
    (errors.Throttled("Why", "d", 7), 429, "Too many requests", [(b"retry-after", b"7")]),
    (errors.BackendUnavailable("Why", "d"), 503, "No answer from the API server", []),
    (errors.BackendUnavailable("Why", "d", 7), 503, "No answer from the API server", [(b"retry-after", b"7")]),
]


def test_refusal_types_are_in_the_table_once_and_in_these_tests() -> None:
    every = refusal_types(errors.Refusal) - {errors.Refusal, errors.PredictionRefusal, errors.AdminRefusal}
    assert set(STATUSES) == every
    assert {type(refusal) for refusal, *_ in [*PREDICTIONS, *ADMIN]} == every
    (written,) = [
        node.value
        for node in ast.walk(ast.parse(inspect.getsource(problems)))
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "STATUSES"
    ]
    assert isinstance(written, ast.Dict)
    assert len(written.keys) == len(STATUSES)


def case(value: Any) -> str | None:
    return type(value).__name__ if isinstance(value, Exception) else None


def expected(kind: str, title: str, status: int, detail: str, **members: str | None) -> bytes:
    body = {"type": f"urn:linplane:problem:{kind}", "title": title, "status": status, "detail": detail}
    given = {name: value for name, value in members.items() if value is not None}
    return json.dumps(body | given, separators=(",", ":")).encode()


@pytest.mark.parametrize(("refusal", "status", "kind", "title", "members", "more"), PREDICTIONS, ids=case)
@pytest.mark.parametrize("request_id", [None, "r-1"])
def test_prediction_that_is_refused_is_a_problem(
    refusal: errors.Refusal, status: int, kind: str, title: str, members: Any, more: Any, request_id: str | None
) -> None:
    detail = TEXTS.get(type(refusal), "d")
    body = expected(kind, title, status, detail, version=refusal.version, requestId=request_id, **members)
    fields = [(b"content-type", b"application/problem+json"), (b"content-length", b"%d" % len(body))]
    assert refusal_response(refusal, request_id) == (status, fields + more, body)


@pytest.mark.parametrize(("refusal", "status", "title", "more"), ADMIN, ids=case)
async def test_admin_call_that_is_refused_is_a_problem(
    refusal: errors.AdminRefusal, status: int, title: str, more: Any
) -> None:
    def refuse(authorization: str | None) -> AdminBackend:
        raise refusal

    answer = await called(
        AdminEndpoint(Access(b"t", Clock()), refuse, SnapshotStore()), (b"authorization", b"Bearer t")
    )
    assert_problem(answer, expected("admin", title, status, "d", reason="Why"), status, more)


async def test_admin_call_that_is_denied_before_it_is_read_is_a_problem() -> None:
    local = AdminEndpoint(Access(None, Clock(), "only here"), None, SnapshotStore())
    body = expected("admin", "Not allowed", 403, "only here", reason="Denied")
    assert_problem(await called(local), body, 403, [])
    by_token = AdminEndpoint(Access(b"t", Clock()), None, SnapshotStore())
    body = expected("admin", "Not authenticated", 401, "a bearer token is needed", reason="Denied")
    for _ in range(FAILURES):
        assert_problem(await called(by_token), body, 401, [(b"www-authenticate", b"Bearer")])
    body = expected("admin", "Too many requests", 429, "too many wrong tokens; try again later", reason="Denied")
    assert_problem(await called(by_token), body, 429, [(b"retry-after", b"1")])


async def called(endpoint: AdminEndpoint, *fields: tuple[bytes, bytes]) -> Response:
    query = b"route=homes&version=v1"
    scope = {"type": "http", "method": "POST", "path": "/freeze", "query_string": query, "client": ("192.0.2.1", 5)}
    return await endpoint("freeze", Request({**scope, "headers": list(fields)}))


def assert_problem(answer: Response, body: bytes, status: int, more: Any) -> None:
    fields = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/problem+json")]
    assert (answer.status_code, answer.raw_headers, answer.body) == (status, more + fields, body)


BY_FASTAPI = [
    (404, "no-path", "Not found", "nothing is at this path"),
    (405, "method", "Method not allowed", "this path does not accept this method"),
    (401, "request", "Request refused", "this path does not accept this method"),
]


@pytest.mark.parametrize(("status", "kind", "title", "detail"), BY_FASTAPI)
async def test_request_that_fastapi_refuses_is_a_problem(status: int, kind: str, title: str, detail: str) -> None:
    answer = await problem_response(Request({"type": "http"}), HTTPException(status, "secret", {"allow": "GET"}))
    assert_problem(answer, expected(kind, title, status, detail), status, [(b"allow", b"GET")])
