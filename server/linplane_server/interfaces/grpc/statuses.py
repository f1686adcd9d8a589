"""Makes gRPC statuses of HTTP responses: pure.

The codes are those that google.rpc.Code (google/rpc/code.proto) names for the HTTP statuses, except for 413, which is
INVALID_ARGUMENT: RESOURCE_EXHAUSTED means that a later attempt may succeed.
"""

from typing import NamedTuple

import msgspec

from ...predict.interface import Answer
from ...problems import Headers
from ..json_answers import Refused

INVALID_ARGUMENT = "INVALID_ARGUMENT"
NOT_FOUND = "NOT_FOUND"
RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
UNAVAILABLE = "UNAVAILABLE"
INTERNAL = "INTERNAL"

_CODES = {
    **dict.fromkeys((400, 405, 413, 415, 422), INVALID_ARGUMENT),
    404: NOT_FOUND,
    429: RESOURCE_EXHAUSTED,
    503: UNAVAILABLE,
}

MAX_MESSAGE = 500
"""Longer messages are cut, in characters: a client accepts 8 KiB of metadata, in which one may take 12 bytes."""

_OF_BODY = (b"allow", b"content-type", b"content-length")

Metadata = tuple[tuple[str, str], ...]


class Refusal(NamedTuple):
    """A status that is not OK. `metadata` are the headers of the response, those that describe its body aside."""

    code: str
    message: str
    metadata: Metadata = ()


def refusal_of(answer: Answer) -> Refusal:
    """Returns the status of a response with a body of `{"error": ...}`."""
    status, headers, body = answer
    message = msgspec.json.decode(body, type=Refused).error
    if len(message) > MAX_MESSAGE:
        message = message[: MAX_MESSAGE - 3] + "..."
    return Refusal(_CODES.get(status, INTERNAL), message, metadata_of(headers))


def metadata_of(headers: Headers) -> Metadata:
    """Returns headers of a response as metadata."""
    return tuple((name.decode(), value.decode()) for name, value in headers if name not in _OF_BODY)
