"""The V1 protocol of KServe, which is that of TensorFlow Serving: `POST /v1/models/ROUTE:predict`.

`{"instances": [ROW, ...]}`, or `inputs` in its place; a row is an array in the order of the features, or an object by
their names, and true and false are 1 and 0. The answer is `{"predictions": [...]}`, an error `{"error": "..."}`. `key`
identifies the user, for the split.

Sources: KServe's `docs/predict-api/v1` (`python/kserve/kserve/protocol/rest/v1_endpoints.py`), and
https://www.tensorflow.org/tfx/serving/api_rest, "Predict API".
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from ..errors import Invalid, PredictionRefusal
from ..predict.interface import Answer, Asked, Call
from ..state.counters import ClientProtocol
from ..state.snapshot import Route
from ..state.snapshot_store import SnapshotStore
from .content_type import check_json
from .json_answers import ALLOW_GET, GET, EncodesPredictions, json_answer, message_of, refusal_answer
from .json_body import as_row, as_rows, need, only_one, read_json

FORMS = ("instances", "inputs")
IGNORED = frozenset({"signature_name", "id", "model_name", "parameters"})
"""Fields that clients send and that change nothing: TensorFlow Serving's, and those of KServe's `InferRequest`."""


class V1(EncodesPredictions):
    """See the module."""

    protocol: ClientProtocol = "v1"

    def decode(self, route: Route, call: Call) -> Asked:
        """Decodes `instances` or `inputs`. Raises UnsupportedBody, TooLarge, Malformed or Invalid."""
        check_json(call.headers)
        return read_json(call.body(), partial(_read, route.accepted))

    def refuse(self, refusal: PredictionRefusal, request_id: str) -> Answer:  # noqa: ARG002 - a header has it
        """Encodes `error`."""
        return refusal_answer(refusal, {"error": message_of(refusal)})


V1_PROTOCOL = V1()


def _read(accepted: frozenset[str], body: dict[str, Any]) -> Asked:
    if body.keys() - IGNORED - {*FORMS, "key"}:
        raise Invalid("", "unknown field; instances, inputs and key are known")
    form = only_one(body, FORMS)
    key = need(body["key"], str, "/key") if "key" in body else None
    rows = as_rows(body[form], f"/{form}", lambda row, place: as_row(row, place, accepted))
    return Asked(rows, f"/{form}/{{}}".format, key)


class V1Pages:
    """Answers `GET /v1/models` and `GET /v1/models/ROUTE`, and 404 below `/v1` for all that is not a prediction."""

    def __init__(self, store: SnapshotStore) -> None:
        """`store` is read at each call."""
        self._store = store

    def answer(self, method: str, path: str) -> Answer | None:
        """Returns the response; None if the path is not below `/v1`."""
        if not path.startswith(_PREFIX):
            return None
        calls, slash, name = path.removeprefix(_PREFIX).partition("/")
        if calls != "models" or (slash and not name):
            return _error(404, "nothing is at this path")
        if "/" in name:
            hint = "; predictions are at /v1/models/NAME:predict" if name.endswith("/predict") else ""
            return _error(404, f"nothing is at this path{hint}")
        if method not in GET:
            return _error(405, "this path does not accept this method", ALLOW_GET)
        return self._model(name) if name else json_answer({"models": sorted(self._store.snapshot.routes)})

    def _model(self, name: str) -> Answer:
        if self._store.loaded_at is None:
            return _error(503, "no configuration is loaded yet")
        route = self._store.snapshot.routes.get(name)
        if route is None:
            return _error(404, "no such model is loaded here")
        if route.current is None:
            return _error(503, route.unavailable.message if route.unavailable else "the model has no version")
        return json_answer({"name": route.name, "ready": True})


_PREFIX = "/v1/"


def _error(status: int, text: str, more: Sequence[tuple[bytes, bytes]] = ()) -> Answer:
    return json_answer({"error": text}, status, more)
