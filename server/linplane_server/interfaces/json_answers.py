"""Encodes answers of client protocols that are plain JSON: pure. Their content type has no parameter, since KServe's
client shows the text of an error only if it is exactly `application/json`.
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from ..errors import PredictionRefusal
from ..predict.interface import Answer, Asked
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
    ) -> tuple[Headers, bytes]:
        """Returns headers, which name the version, and body."""
        _, headers, content = json_answer(PredictionList(list(values)), more=version.headers)
        return headers, content


def message_of(refusal: PredictionRefusal) -> str:
    """Returns the detail of a refusal, after the place in the body if it has one."""
    return f"{refusal.pointer}: {refusal.detail}" if refusal.pointer else refusal.detail


def refusal_answer(refusal: PredictionRefusal, body: object) -> Answer:
    """Returns the response to a refused request, with the status and headers of its problem; but 400 for 422, as
    these protocols have no other status for a body that is no request.
    """
    status, more, _ = refusal_problem(refusal)
    return json_answer(body, 400 if status == 422 else status, more)
