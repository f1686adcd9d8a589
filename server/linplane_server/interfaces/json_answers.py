"""Encodes answers of client protocols that are plain JSON: pure. Their content type has no parameter, since KServe's
client shows the text of an error only if it is exactly `application/json`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from ..errors import PredictionRefusal
from ..predict.interface import Answer, Asked, Content
from ..predict.router import Source
from ..problems import Headers, refusal_problem
from ..state.snapshot import Route, Version

POST = ("POST",)
GET = ("GET", "HEAD")
"""Methods of a page. The server sends no body in answer to HEAD."""

JSON = (b"content-type", b"application/json")

NO_PAGE = "nothing is at this path"
NOT_ALLOWED = "this path does not accept this method"
_encode = msgspec.json.Encoder().encode

SLICE = 1 << 13
"""Numbers that are encoded at once: about a millisecond."""


class Refused(msgspec.Struct, frozen=True):
    """The body of every answer of KServe's protocols that is not 200."""

    error: Annotated[str, Meta(description="For people. Of the request it repeats only names of unknown features.")]


class PredictionList(msgspec.Struct, frozen=True):
    """Predictions in the order of the rows."""

    predictions: list[float]


def json_answer(body: object, status: int = 200, more: Sequence[tuple[bytes, bytes]] = ()) -> Answer:
    """Returns the response with this body as JSON; `more` are further headers."""
    content = _encode(body)
    return status, [JSON, *more, (b"content-length", b"%d" % len(content))], content


def with_numbers(encoded: Callable[[list[float]], bytes], values: Sequence[float]) -> Content:
    """Returns JSON with an array of numbers, by a function that encodes it with some; its first empty array is that of
    none.
    """
    if len(values) <= SLICE:
        return encoded(list(values))
    begin, _, end = encoded([]).partition(b"[]")
    return _in_slices(begin + b"[", values, b"]" + end)


def _in_slices(begin: bytes, values: Sequence[float], end: bytes) -> Iterator[bytes]:
    yield begin
    for first, text in numbers(values):
        yield text if first == 0 else b"," + text
    yield end


def numbers(values: Sequence[float]) -> Iterator[tuple[int, bytes]]:
    """Yields the text of SLICE numbers each, with commas between them, and the position of the first of them."""
    for first in range(0, len(values), SLICE):
        yield first, _encode(list(values[first : first + SLICE]))[1:-1]


def allow(methods: Sequence[str]) -> tuple[bytes, bytes]:
    """Returns the header that names the methods of a path."""
    return b"allow", ", ".join(methods).encode()


class EncodesPredictions:
    """The `encode` of interfaces that answer `{"predictions": [...]}`, in the order of the rows, and nothing else."""

    def encode(
        self,
        route: Route,  # noqa: ARG002 - what other interfaces need
        asked: Asked,  # noqa: ARG002
        version: Version,
        source: Source,  # noqa: ARG002
        values: Sequence[float],
    ) -> tuple[Headers, Content]:
        """Returns headers, which name the version, and body."""
        return [JSON, *version.headers], with_numbers(lambda some: _encode(PredictionList(some)), values)


def message_of(refusal: PredictionRefusal) -> str:
    """Returns the detail of a refusal, after the place in the body if it has one."""
    return f"{refusal.pointer}: {refusal.detail}" if refusal.pointer else refusal.detail


def refusal_answer(refusal: PredictionRefusal, body: object) -> Answer:
    """Returns the response to a refused request, with the status and headers of its problem; but 400 for 422, as
    these protocols have no other status for a body that is no request.
    """
    status, more, _ = refusal_problem(refusal)
    return json_answer(body, 400 if status == 422 else status, more)
