"""Encodes errors of the Open Inference Protocol."""

from collections.abc import Sequence

from ...errors import MissingFeature, PredictionRefusal
from ...predict.interface import Answer
from .. import json_answers
from ..json_answers import Refused, json_answer


def error_answer(status: int, text: str, more: Sequence[tuple[bytes, bytes]] = ()) -> Answer:
    """Returns the response to a request that was refused."""
    return json_answer(Refused(text), status, more)


def refusal_answer(refusal: PredictionRefusal) -> Answer:
    """Returns the response to a request that was refused; see `json_answers.refusal_answer`."""
    # The detail of a missing feature names it.
    text = refusal.detail if isinstance(refusal, MissingFeature) else json_answers.message_of(refusal)
    return json_answers.refusal_answer(refusal, Refused(text))
