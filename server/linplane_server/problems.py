"""Errors as RFC 9457 `application/problem+json`: the one map from refusals to statuses."""

from typing import Any

import msgspec

from .errors import Invalid, Kind, RateLimited, Refusal, Unavailable

CONTENT_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:linplane:problem:"

Headers = list[tuple[bytes, bytes]]

STATUSES: dict[Kind, tuple[int, str]] = {
    "malformed": (400, "Malformed request"),
    "not_found": (404, "Not found"),
    "method": (405, "Method not allowed"),
    "too_large": (413, "Body too large"),
    "media_type": (415, "Unsupported media type"),
    "invalid": (422, "Invalid input"),
    "missing_feature": (422, "A feature is missing"),
    "rate_limited": (429, "Too many requests"),
    "internal": (500, "Internal error"),
    "unavailable": (503, "Nothing to serve"),
}

_encode = msgspec.json.Encoder().encode


def problem(status: int, kind: str, title: str, detail: str, **members: Any) -> bytes:
    """The body of one problem. `kind` makes its type; members that are None are left out."""
    body = {"type": TYPE_PREFIX + kind.replace("_", "-"), "title": title, "status": status, "detail": detail}
    return _encode(body | {name: value for name, value in members.items() if value is not None})


def problem_headers(body: bytes) -> Headers:
    """The headers of a problem's answer."""
    return [(b"content-type", CONTENT_TYPE.encode()), (b"content-length", b"%d" % len(body))]


def refusal_response(refusal: Refusal, request_id: str | None = None) -> tuple[int, Headers, bytes]:
    """Status, headers and body of a refusal."""
    status, title = STATUSES[refusal.kind]
    members: dict[str, Any] = {"version": refusal.version, "requestId": request_id}
    headers: Headers = []
    if isinstance(refusal, Invalid):
        members["pointer"] = refusal.pointer
    elif isinstance(refusal, Unavailable):
        members["reason"] = refusal.reason
    elif isinstance(refusal, RateLimited):
        headers = [(b"retry-after", b"%d" % refusal.retry_after)]
    elif refusal.kind == "method":
        headers = [(b"allow", b"POST")]
    body = problem(status, refusal.kind, title, refusal.detail, **members)
    return status, problem_headers(body) + headers, body
