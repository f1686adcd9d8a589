"""The V1 protocol of KServe, which is that of TensorFlow Serving: `POST /v1/models/ROUTE:predict`.

`{"instances": [ROW, ...]}`, or `inputs` in its place; a row is an array in the order of the features, or an object by
their names, and true and false are 1 and 0. The answer is `{"predictions": [...]}`, an error `{"error": "..."}`. `key`
identifies the user, for the split.

Sources: KServe's `docs/predict-api/v1` (`python/kserve/kserve/protocol/rest/v1_endpoints.py`), and
https://www.tensorflow.org/tfx/serving/api_rest, "Predict API".
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec

from ..errors import Invalid, PredictionRefusal
from ..predict.interface import Answer, Asked, Call, DecodesWhole, Pieces, Slices, finished
from ..predict.pieces import Form, form
from ..predict.router import current_version
from ..state.counters import ClientProtocol
from ..state.snapshot import Route
from ..state.snapshot_store import SnapshotStore
from .content_type import check_json
from .form_pieces import open_forms
from .json_answers import (
    NO_PAGE,
    NOT_ALLOWED,
    EncodesPredictions,
    Refused,
    allow,
    json_answer,
    message_of,
    refusal_answer,
)
from .json_body import as_row, as_rows, need, only_one, read_json
from .pages import Page, RouteCall, RoutePage, ServerPage

FORMS = ("instances", "inputs")
IGNORED = frozenset({"signature_name", "id", "model_name", "parameters"})
"""Fields that clients send and that change nothing: TensorFlow Serving's, and those of KServe's `InferRequest`."""


class V1(DecodesWhole, EncodesPredictions):
    """See the module."""

    protocol: ClientProtocol = "v1"
    forms: tuple[Form, ...] = (form(r' \{ (?:"signature_name" : TEXT , )?"(?:instances|inputs)" : \[', "]}"),)

    def decode(self, route: Route, call: Call) -> Asked:
        """Decodes `instances` or `inputs`. Raises UnsupportedBody, TooLarge, Malformed or Invalid."""
        return finished(self.decode_in_slices(route, call))

    def decode_in_slices(self, route: Route, call: Call) -> Slices[Asked]:
        """As `decode`."""
        check_json(call.headers)
        return read_json(call.body(), partial(_read, route.accepted))

    def open_pieces(self, route: Route, call: Call) -> Pieces:
        """Decodes a large table in pieces."""
        return open_forms(partial(self.decode_in_slices, route), call, self.forms)

    def refuse(self, refusal: PredictionRefusal, request_id: str) -> Answer:  # noqa: ARG002 - a header has it
        """Encodes `error`."""
        return refusal_answer(refusal, Refused(message_of(refusal)))


V1_PROTOCOL = V1()


def _read(accepted: frozenset[str], body: dict[str, Any]) -> Slices[Asked]:
    if body.keys() - IGNORED - {*FORMS, "key"}:
        raise Invalid("", "unknown field; instances, inputs and key are known")
    form = only_one(body, FORMS)
    key = need(body["key"], str, "/key") if "key" in body else None
    rows = yield from as_rows(body[form], f"/{form}", lambda row, place: as_row(row, place, accepted))
    return Asked(rows, f"/{form}/{{}}".format, key)


class ModelNames(msgspec.Struct, frozen=True):
    """The list of models, as KServe has it."""

    models: list[str]


class ModelState(msgspec.Struct, frozen=True):
    """The answer at the path of a model, as KServe has it."""

    name: str
    ready: bool


class V1Pages:
    """See `Pages`: `GET /v1/models` and `GET /v1/models/ROUTE`."""

    refused = Refused

    def __init__(self, store: SnapshotStore) -> None:
        """`store` is read at each call."""
        self.table: Sequence[Page] = [
            ServerPage(
                "/v1/models",
                "The routes, as models.",
                ModelNames,
                lambda _: json_answer(ModelNames(sorted(store.snapshot.routes))),
                lists=True,
            ),
            RoutePage("/v1/models/{route}", "Whether a route can answer.", ModelState, _ready),
        ]

    def absent(self, path: str) -> Answer | None:
        """See `Pages`."""
        if not path.startswith("/v1/"):
            return None
        hint = "; predictions are at /v1/models/NAME:predict" if _is_prediction(path) else ""
        return json_answer(Refused(NO_PAGE + hint), 404)

    def not_allowed(self, methods: Sequence[str]) -> Answer:
        """See `Pages`."""
        return json_answer(Refused(NOT_ALLOWED), 405, [allow(methods)])

    def refuse(self, refusal: PredictionRefusal) -> Answer:
        """See `Pages`."""
        return V1_PROTOCOL.refuse(refusal, "")


_is_prediction = re.compile("/v1/models/[^/]+/predict").fullmatch


def _ready(call: RouteCall) -> Answer:
    current_version(call.route)
    return json_answer(ModelState(call.route.name, ready=True))
