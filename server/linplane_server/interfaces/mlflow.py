"""The scoring protocol of MLflow: `POST /invocations`, with the forms of `mlflow_tables` in a JSON body, or text/csv.

The answer is `{"predictions": [...]}`, an error `{"error_code": "...", "message": "..."}`. Every table has named
columns, as a model with a signature has in MLflow; columns that the route does not have are ignored, on this interface
only. `params` is accepted; its `key` identifies the user, for the split.

Sources: `mlflow/pyfunc/scoring_server/__init__.py`, and `mlflow/exceptions.py` for the codes.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain

import msgspec
from msgspec.structs import replace

from .. import errors
from ..predict.interface import Answer, Asked, Call, Content, NotStreamed, Pieces, Slices, Stream, finished
from ..predict.pieces import Form, form
from ..predict.router import Source
from ..predict.rows import Row
from ..problems import Headers
from ..state.counters import ClientProtocol
from ..state.snapshot import Route, Version
from .accept import prefers_csv
from .content_type import check_identity, check_json
from .csv_answers import csv_predictions
from .csv_body import CsvTable
from .csv_stream import CsvStream
from .form_pieces import open_forms
from .json_answers import NOT_ALLOWED, EncodesPredictions, allow, json_answer, message_of, refusal_answer
from .json_body import read_json
from .mlflow_tables import read_tables
from .pages import Page, ServerCall, ServerPage

CODES: dict[type[errors.PredictionRefusal], str] = {
    errors.RouteNotFound: "RESOURCE_DOES_NOT_EXIST",
    errors.VersionNotFound: "RESOURCE_DOES_NOT_EXIST",
    errors.Invalid: "INVALID_PARAMETER_VALUE",
    errors.MissingFeature: "INVALID_PARAMETER_VALUE",
    errors.RateLimited: "REQUEST_LIMIT_EXCEEDED",
    errors.NothingToServe: "TEMPORARILY_UNAVAILABLE",
    errors.Overloaded: "TEMPORARILY_UNAVAILABLE",
    errors.Internal: "INTERNAL_ERROR",
}
"""MLflow's code of each refusal; that of all others is BAD_REQUEST."""

_is_csv = re.compile(  # RFC 4180, section 3, has both parameters
    rb'[ \t]*text/csv[ \t]*(;[ \t]*((charset="?utf-?8"?|header="?present"?)[ \t]*)?)*', re.IGNORECASE
).fullmatch


class MLflowError(msgspec.Struct, frozen=True):
    """The body of every answer that is not 200."""

    error_code: str
    message: str


NEITHER = "the body must be JSON or CSV: Content-Type application/json or text/csv, in UTF-8"


class MLflow(EncodesPredictions):
    """See the module."""

    protocol: ClientProtocol = "mlflow"
    forms: tuple[Form, ...] = (
        form(r' \{ "dataframe_split" : \{ "columns" : \[(?: TEXT (?:, TEXT )*)?\] , "data" : \[', "]}}"),
        form(r' \{ "(?:dataframe_records|instances|inputs)" : \[', "]}"),
    )

    def may_stream(self, headers: Mapping[bytes, bytes]) -> bool:
        """Returns whether the body is CSV."""
        return _is_csv(headers.get(b"content-type", b"")) is not None

    def decode(self, route: Route, call: Call) -> Asked:
        """Decodes a table. Raises UnsupportedBody, TooLarge, Malformed or Invalid."""
        return finished(self.decode_in_slices(route, call))

    def decode_in_slices(self, route: Route, call: Call) -> Slices[Asked]:
        """As `decode`."""
        if self.may_stream(call.headers):
            return (yield from _csv(route, call))
        check_json(call.headers, NEITHER)
        with _malformed_if_whole():
            return _asked((yield from read_json(call.body(), partial(read_tables, route.accepted))), call)

    def open_stream(self, route: Route, call: Call, begun: bytes) -> tuple[Stream, int] | None:  # noqa: ARG002 - no head
        """Streams CSV. Raises NotStreamed for JSON, UnsupportedBody if the CSV is compressed."""
        if not self.may_stream(call.headers):
            raise NotStreamed
        return _csv_stream(route, call), 0

    def open_pieces(self, route: Route, call: Call) -> Pieces:
        """Decodes a large table in pieces."""
        return open_forms(partial(self.decode_in_slices, route), call, self.forms)

    def encode(
        self, route: Route, asked: Asked, version: Version, source: Source, values: Sequence[float]
    ) -> tuple[Headers, Content]:
        """Encodes `predictions`, or CSV if Accept prefers it."""
        if asked.context:
            return csv_predictions(values, version)
        return super().encode(route, asked, version, source, values)

    def refuse(self, refusal: errors.PredictionRefusal, request_id: str) -> Answer:  # noqa: ARG002 - a header has it
        """Encodes `error_code` and `message`."""
        code = CODES.get(type(refusal), "BAD_REQUEST")
        return refusal_answer(refusal, MLflowError(code, message_of(refusal)))


MLFLOW = MLflow()


def _asked(asked: Asked, call: Call) -> Asked:
    return replace(asked, context=True) if prefers_csv(call.headers) else asked


@contextmanager
def _malformed_if_whole() -> Iterator[None]:
    """Makes Malformed of what is wrong with the body as a whole: MLflow's code for no table or several is that."""
    try:
        yield
    except errors.Invalid as error:
        if error.pointer:
            raise
        raise errors.Malformed(error.detail) from None


def _csv_stream(route: Route, call: Call) -> CsvStream:
    check_identity(call.headers)
    asked = Asked((), lambda number: f"row {number + 1}", context=prefers_csv(call.headers))
    return CsvStream(asked, CsvTable(route.accepted, route.order), call.max_body)


def _csv(route: Route, call: Call) -> Slices[Asked]:
    stream, rows = _csv_stream(route, call), list[Row]()
    for block in chain(stream.feed(call.body()), stream.finish()):
        rows += block
        yield
    return replace(stream.asked, rows=rows)


class MLflowPages:
    """See `Pages`: `GET /ping` and `GET /health`, without a body, and `GET /version` with that of this software."""

    refused = MLflowError

    def __init__(self, unready: Callable[[], str | None], version: str) -> None:
        """`unready` returns the reason that this process is not ready, None if it is."""

        def ping(_: ServerCall) -> Answer:
            return _plain(200 if unready() is None else 503, b"")

        self.table: Sequence[Page] = [
            ServerPage("/ping", "Whether the server is ready; 503 if it is not.", None, ping),
            ServerPage("/health", "The same.", None, ping),
            ServerPage("/version", "The version of this software.", None, lambda _: _plain(200, version.encode())),
        ]

    def absent(self, path: str) -> Answer | None:  # noqa: ARG002 - `Pages`
        """See `Pages`: the protocol has no paths of its own below which others could be."""
        return None

    def not_allowed(self, methods: Sequence[str]) -> Answer:
        """See `Pages`."""
        return json_answer(MLflowError("BAD_REQUEST", NOT_ALLOWED), 405, [allow(methods)])

    def refuse(self, refusal: errors.PredictionRefusal) -> Answer:
        """See `Pages`."""
        return MLFLOW.refuse(refusal, "")


def _plain(status: int, body: bytes) -> Answer:
    return status, [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))], body
