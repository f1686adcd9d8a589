"""The project's own interface: JSON by `/predict` and `/routes/ROUTE/predict`, refusals as problem+json. Predictions
are CSV if Accept prefers that.
"""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, cast

import msgspec
from msgspec import Meta

from ..errors import PredictionRefusal
from ..predict.interface import Answer, Asked, Call, Content, DecodesWhole, Pieces, Slices
from ..predict.pieces import Form, form
from ..predict.router import Source, SplitSource
from ..predict.rows import Row
from ..problems import Headers, refusal_response
from ..state.counters import ClientProtocol
from ..state.snapshot import Route, Version
from .accept import prefers_csv
from .content_type import check_json
from .csv_answers import csv_predictions
from .form_pieces import open_forms
from .json_answers import with_numbers
from .native_body import Request, parse_in_slices, parse_request

_encode = msgspec.json.Encoder().encode

_Version = Annotated[str, Meta(description="The version that answered.")]
_AssignedBy = Annotated[
    SplitSource,
    Meta(
        description="The input that the version was chosen by: the request's key, the header, or the feature values; "
        "`current` if all traffic goes to the current version."
    ),
]


class Prediction(msgspec.Struct, rename="camel"):
    """The response to `features`."""

    prediction: float
    version: _Version
    route: str
    assigned_by: _AssignedBy


class Predictions(msgspec.Struct, rename="camel"):
    """The response to `rows`, in their order."""

    predictions: list[float]
    version: _Version
    route: str
    assigned_by: _AssignedBy


class Native(DecodesWhole):
    """See the module."""

    protocol: ClientProtocol = "predict"
    forms: tuple[Form, ...] = (form(r' \{ (?:"key" : TEXT , )?"rows" : \[', "]}"),)

    def decode(self, route: Route, call: Call) -> Asked:
        """Decodes `features` or `rows`. Raises UnsupportedBody, TooLarge, Malformed or Invalid."""
        check_json(call.headers)
        return _asked(*parse_request(call.body(), route.accepted), call)

    def decode_in_slices(self, route: Route, call: Call) -> Slices[Asked]:
        """As `decode`."""
        check_json(call.headers)
        return _asked(*(yield from parse_in_slices(call.body(), route.accepted)), call)

    def open_pieces(self, route: Route, call: Call) -> Pieces:
        """Decodes a large table in pieces."""
        return open_forms(partial(self.decode_in_slices, route), call, self.forms)

    def encode(
        self, route: Route, asked: Asked, version: Version, source: Source, values: Sequence[float]
    ) -> tuple[Headers, Content]:
        """Encodes a Prediction, or Predictions for `rows`, or CSV. No path of this interface names a version."""
        if asked.context:
            return csv_predictions(values, version)
        by = cast("SplitSource", source)
        if asked.place is _place_of_features:
            content: Content = _encode(Prediction(values[0], version.name, route.name, by))
        else:
            content = with_numbers(lambda some: _encode(Predictions(some, version.name, route.name, by)), values)
        return [_JSON, *version.headers], content

    def refuse(self, refusal: PredictionRefusal, request_id: str) -> Answer:
        """Encodes a problem (RFC 9457)."""
        return refusal_response(refusal, request_id)


NATIVE = Native()

_JSON = (b"content-type", b"application/json")


def _asked(body: Request, rows: Sequence[Row], call: Call) -> Asked:
    place = _place_of_features if body.rows is msgspec.UNSET else "/rows/{}".format
    return Asked(rows, place, body.key or None, prefers_csv(call.headers))


def _place_of_features(_: int) -> str:
    return "/features"
