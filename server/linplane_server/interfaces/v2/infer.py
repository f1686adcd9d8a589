"""The inference call: tensors to rows, predictions to a tensor.

One tensor of rank 2 whose name is no feature is the matrix [n, p] of rows in the declared order, if all versions of the
route agree on one. Otherwise each tensor is a feature, [n] or [n, 1], by its name.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from linplane_api.display import display_name

from ...errors import Invalid, PredictionRefusal, RouteNotFound
from ...predict.interface import Answer, Asked, Call, Content, NotStreamed, Pieces, Slices, Stream, finished
from ...predict.matrix import Matrix
from ...predict.router import Source
from ...predict.rows import Row
from ...problems import Headers
from ...state.counters import ClientProtocol
from ...state.snapshot import Route, Version
from ..json_answers import JSON, with_numbers
from .answers import error_answer, refusal_answer
from .binary import HEADER, SIZE, binary_content, binary_values, split_body
from .encoding import compressed, decompressed, response_coding
from .head import OUTPUT, Head, Wanted, check_tensor, is_streamed, read_head, streamed_head
from .matrix_stream import MatrixStream
from .messages import InferenceResponse, InputTensor, OutputTensor, Provenance, encode
from .pieces import blocks, numbers_of, without_data
from .tensors import json_values

FEATURES = "features"
"""The name of the matrix in the metadata, if no feature has it; a request may call it anything that is no feature."""

NO_MODEL = "no model of this name is loaded here; the name of a model is that of a route"


class Inference:
    """See the module."""

    protocol: ClientProtocol = "v2"

    def may_stream(self, headers: Mapping[bytes, bytes]) -> bool:
        """Returns whether there may be binary tensors after the JSON."""
        return HEADER in headers

    def decode(self, route: Route, call: Call) -> Asked:
        """Decodes JSON or binary tensors; the Content-Type has no influence. Raises UnsupportedBody, TooLarge,
        Malformed or Invalid.
        """
        return finished(self.decode_in_slices(route, call))

    def decode_in_slices(self, route: Route, call: Call) -> Slices[Asked]:
        """As `decode`; the tensors of a message that is valid are one slice."""
        text, rest = yield from _parts(call)
        head = yield from read_head(route, call.headers, text, None if rest is None else len(rest))
        return decode_tensors(route, head, _raw(head, rest))

    def open_stream(self, route: Route, call: Call, begun: bytes) -> tuple[Stream, int] | None:
        """Streams one binary matrix of known length that is not compressed. Raises NotStreamed, Malformed, Invalid."""
        length = streamed_head(call.headers)
        if len(begun) < length:
            return None
        rest = int(call.headers[b"content-length"]) - length
        head = finished(read_head(route, call.headers, begun[:length], rest))
        if head.matrix is None or head.places[0] is None or not is_streamed(head.inputs[0]):
            raise NotStreamed
        return MatrixStream(head.asked, head.matrix, len(route.order or ()), rest), length

    def open_pieces(self, route: Route, call: Call) -> Pieces:
        """Decodes the tensors in pieces, but a matrix that is computed from its bytes."""
        text, rest = yield from _parts(call)
        cut = yield from without_data(text)
        head = yield from read_head(route, call.headers, cut.rest, None if rest is None else len(rest))
        raw = _raw(head, rest)
        if not cut.is_data_of(head.inputs) or (raw and _is_computed_from_bytes(head, raw[0])):
            raise NotStreamed
        return head.asked, blocks(route, head, numbers_of(head, text, cut.places, raw))

    def encode(
        self, route: Route, asked: Asked, version: Version, source: Source, values: Sequence[float]
    ) -> tuple[Headers, Content]:
        """Encodes the tensor `prediction`, FP64 [n, 1]."""
        wanted: Wanted = asked.context
        output = OutputTensor(OUTPUT, [len(values), 1], "FP64")
        origin = Provenance(version.name, version.digest, version.revision, source)
        response = InferenceResponse(route.name, version.name, origin, [output], wanted.id)
        if wanted.binary:
            output.parameters = {SIZE: 8 * len(values)}
            text = encode(response)
            headers = [(b"content-type", b"application/octet-stream"), (HEADER, b"%d" % len(text)), *version.headers]
            return _finished(headers, binary_content(text, values), wanted.accepted)

        def encoded(some: list[float]) -> bytes:
            output.data = some
            return encode(response)

        return _finished([JSON, *version.headers], with_numbers(encoded, values), wanted.accepted)

    def refuse(self, refusal: PredictionRefusal, request_id: str) -> Answer:  # noqa: ARG002 - a header has it
        """Encodes `error`."""
        if isinstance(refusal, RouteNotFound):
            return error_answer(404, NO_MODEL)
        return refusal_answer(refusal)


INFERENCE = Inference()


def decode_tensors(route: Route, head: Head, raw: Sequence[memoryview | None]) -> Asked:
    """Returns the decoded request. `raw` are the bytes of each tensor, None for one with `data`. Raises Invalid."""
    rows, names = _rows(route, head, raw)
    return replace(head.asked, rows=rows, names=names)


def _parts(call: Call) -> Slices[tuple[bytes, memoryview | None]]:
    body = yield from decompressed(call.body(), call.headers.get(b"content-encoding"), call.max_body)
    return split_body(body, call.headers.get(HEADER))


def _raw(head: Head, rest: memoryview | None) -> list[memoryview | None]:
    """Returns the bytes of each tensor, None for one with `data`."""
    return [None if place is None or rest is None else rest[place] for place in head.places]


def _finished(headers: Headers, body: Content, accepted: bytes | None) -> tuple[Headers, Content]:
    coding = response_coding(accepted, len(body) if isinstance(body, bytes) else None)
    if coding is None:
        return headers, body
    headers.append((b"content-encoding", coding))
    return headers, compressed(body, coding)


def _rows(route: Route, head: Head, raw: Sequence[memoryview | None]) -> tuple[Sequence[Row], Sequence[str]]:
    """Returns the rows, and the features that they have."""
    inputs = head.inputs
    if head.matrix is not None:
        return _matrix(route, head, raw[0]), head.asked.names
    columns: dict[str, list[float]] = {}
    for number, tensor in enumerate(inputs):
        place = f"/inputs/{number}"
        if tensor.name not in route.accepted:
            raise _unknown(route, tensor, place, alone=len(inputs) == 1)
        _check_column(tensor, place, columns)
        columns[tensor.name] = _values(head, number, raw[number])
    if not columns:
        raise Invalid("/inputs", "at least one tensor is needed")
    if len(set(map(len, columns.values()))) > 1:
        raise Invalid("/inputs", "the tensors do not have the same number of rows")
    return _transposed(route, columns), tuple(columns)


def _transposed(route: Route, columns: dict[str, list[float]]) -> list[Row]:
    """Returns the rows, as arrays if that is possible: a small compressed body can have many of them, and an object for
    each takes several times as long.
    """
    if route.order is not None and columns.keys() == route.accepted:
        return list(map(list, zip(*(columns[name] for name in route.order), strict=True)))
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _matrix(route: Route, head: Head, raw: memoryview | None) -> Sequence[Row]:
    width = len(route.order or ())
    if raw is not None and head.matrix is not None and _is_computed_from_bytes(head, raw):
        return Matrix(raw, head.matrix.code, width)
    values = _values(head, 0, raw)
    return [values[start : start + width] for start in range(0, len(values), width)]


def _is_computed_from_bytes(head: Head, raw: memoryview | None) -> bool:
    return raw is not None and head.matrix is not None and is_streamed(head.inputs[0])


def _unknown(route: Route, tensor: InputTensor, place: str, *, alone: bool) -> Invalid:
    """Returns the error in a tensor that is neither a feature nor the matrix; `alone` if there is no other tensor."""
    if alone and route.order is not None:
        matrix = f"[n, {len(route.order)}] is needed for a tensor that is not named by a feature"
        return Invalid(f"{place}/shape", f"{matrix}; its shape has rank {len(tensor.shape)}")
    forms = "the inputs are a tensor for each feature"
    if route.order is not None:
        forms += f", or one matrix [n, {len(route.order)}]"
    name = display_name(tensor.name)
    return Invalid(f"{place}/name", f"{name} is not a feature; {forms}", nameless=f"this is not a feature; {forms}")


def _check_column(tensor: InputTensor, place: str, before: dict[str, Any]) -> None:
    if tensor.name in before:
        raise Invalid(f"{place}/name", "a second tensor of the same name")
    if len(tensor.shape) == 2 and tensor.shape[1] != 1:
        raise Invalid(f"{place}/shape", "[n] or [n, 1] is needed, as the name is that of a feature")


def _values(head: Head, number: int, raw: memoryview | None) -> list[float]:
    tensor, place = head.inputs[number], f"/inputs/{number}"
    datatype, count = check_tensor(tensor, head.places[number], place)
    if raw is not None:
        return binary_values(raw, count, tensor.datatype, datatype, place)
    assert isinstance(tensor.data, list)
    return json_values(tensor.data, tensor.shape, tensor.datatype, place)
