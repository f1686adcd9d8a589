"""Refusals as RFC 9457 `application/problem+json`, for predictions and admin calls alike."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from linplane_api.names import PROBLEM_TYPE_PREFIX

from . import errors

CONTENT_TYPE = "application/problem+json"

Headers = list[tuple[bytes, bytes]]

STATUSES: dict[type[errors.Refusal], tuple[int, str]] = {
    errors.Malformed: (400, "Malformed request"),
    errors.RouteNotFound: (404, "Not found"),
    errors.VersionNotFound: (404, "Not found"),
    errors.MethodNotAllowed: (405, "Method not allowed"),
    errors.TooLarge: (413, "Body too large"),
    errors.UnsupportedBody: (415, "Unsupported media type"),
    errors.Invalid: (422, "Invalid input"),
    errors.MissingFeature: (422, "A feature is missing"),
    errors.RateLimited: (429, "Too many requests"),
    errors.Internal: (500, "Internal error"),
    errors.NothingToServe: (503, "Nothing to serve"),
    errors.Overloaded: (503, "Too many bodies"),
    errors.Unauthenticated: (401, "Not authenticated"),
    errors.Forbidden: (403, "Not allowed"),
    errors.NotFound: (404, "Not found"),
    errors.Conflict: (409, "Conflict"),
    errors.PreconditionFailed: (412, "Precondition failed"),
    errors.Refused: (422, "Refused"),
    errors.Throttled: (429, "Too many requests"),
    errors.BackendUnavailable: (503, "No answer from the API server"),
}
"""Status and title of each type of refusal."""

_HEADERS: dict[type[errors.Refusal], Headers] = {
    errors.MethodNotAllowed: [(b"allow", b"POST")],
    errors.Unauthenticated: [(b"www-authenticate", b"Bearer")],
}


_Detail = Annotated[str, Meta(description="For people. Of the request it repeats only names of unknown features.")]
_Version = Annotated[str, Meta(description="The version that would have answered, if one was chosen.")]
_Pointer = Annotated[str, Meta(description="The place in the body (RFC 6901), with 422.")]
_Reason = Annotated[str, Meta(description="One word: why nothing is served, or why an admin call was refused.")]


class Problem(msgspec.Struct, frozen=True, rename="camel"):
    """The body of a refusal (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: _Detail
    version: _Version | UnsetType = UNSET
    request_id: str | UnsetType = UNSET
    pointer: _Pointer | UnsetType = UNSET
    reason: _Reason | UnsetType = UNSET


_encode = msgspec.json.Encoder().encode


def problem(status: int, kind: str, title: str, detail: str, **members: str | None) -> bytes:
    """Encodes a problem. `kind` determines its type; members that are None are left out."""
    present = {name: value for name, value in members.items() if value is not None}
    return _encode(Problem(PROBLEM_TYPE_PREFIX + kind.replace("_", "-"), title, status, detail, **present))


def problem_headers(body: bytes) -> Headers:
    """Returns the headers that describe the body of a problem."""
    return [(b"content-type", CONTENT_TYPE.encode()), (b"content-length", b"%d" % len(body))]


def refusal_response(refusal: errors.Refusal, request_id: str | None = None) -> tuple[int, Headers, bytes]:
    """Returns status, headers and body of the response to a refused request."""
    status, more, body = refusal_problem(refusal, request_id)
    return status, problem_headers(body) + more, body


def refusal_problem(refusal: errors.Refusal, request_id: str | None = None) -> tuple[int, Headers, bytes]:
    """Returns status, body and the headers that do not describe the body: Retry-After, Allow, WWW-Authenticate."""
    status, title = STATUSES[type(refusal)]
    body = problem(
        status,
        refusal.kind,
        title,
        refusal.detail,
        version=refusal.version,
        request_id=request_id,
        pointer=refusal.pointer,
        reason=refusal.reason,
    )
    retry = [(b"retry-after", b"%d" % refusal.retry_after)] if refusal.retry_after else []
    return status, retry + _HEADERS.get(type(refusal), []), body
