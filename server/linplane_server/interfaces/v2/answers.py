"""Encodes answers and errors. The content type of JSON has no parameter: kserve's client shows the text of an error
only if it is exactly `application/json`.
"""

from collections.abc import Sequence
from typing import Any

from ...errors import MissingFeature, PredictionRefusal
from ...predict.interface import Answer
from ...problems import Headers, refusal_problem
from .messages import Refused, encode

JSON = (b"content-type", b"application/json")


def json_answer(body: Any, status: int = 200, more: Sequence[tuple[bytes, bytes]] = ()) -> Answer:
    """Returns the response with this body; `more` are further headers."""
    content = encode(body)
    headers: Headers = [JSON, *more, (b"content-length", b"%d" % len(content))]
    return status, headers, content


def error_answer(status: int, text: str, more: Sequence[tuple[bytes, bytes]] = ()) -> Answer:
    """Returns the response to a request that was refused."""
    return json_answer(Refused(text), status, more)


def refusal_answer(refusal: PredictionRefusal) -> Answer:
    """Returns the response to a request that was refused, with the status of its problem; but 400 for 422, as the
    protocol has no other status for a body that is no request.
    """
    status, more, _ = refusal_problem(refusal)
    place = "" if isinstance(refusal, MissingFeature) else refusal.pointer  # its detail names the feature
    text = f"{place}: {refusal.detail}" if place else refusal.detail
    return error_answer(400 if status == 422 else status, text, more)
