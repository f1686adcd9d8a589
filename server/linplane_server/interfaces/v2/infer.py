"""The inference call: tensors to rows, predictions to a tensor.

One tensor of rank 2 whose name is no feature is the matrix [n, p] of rows in the declared order, if all versions of the
route agree on one. Otherwise each tensor is a feature, [n] or [n, 1], by its name.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from msgspec import UNSET, UnsetType

from linplane_api.display import display_name

from ...errors import Invalid, PredictionRefusal, RouteNotFound
from ...predict.interface import Answer, Asked, Call
from ...predict.router import Source
from ...predict.rows import Row, no_order
from ...problems import Headers
from ...state.counters import ClientProtocol
from ...state.snapshot import Route, Version
from ..json_answers import JSON
from .answers import error_answer, refusal_answer
from .binary import HEADER, SIZE, binary_values, raw_tensors, split_body, to_binary
from .encoding import compressed, decompressed, response_coding
from .messages import (
    InferenceRequest,
    InferenceResponse,
    InputTensor,
    OutputTensor,
    Parameters,
    Provenance,
    RequestedOutput,
    encode,
    parse_message,
)
from .tensors import datatype_named, element_count, json_values

OUTPUT = "prediction"
FEATURES = "features"
"""The name of the matrix in the metadata, if no feature has it; a request may call it anything that is no feature."""

NO_MODEL = "no model of this name is loaded here; the name of a model is that of a route"

_UNSUPPORTED = ("classification", "shared_memory_region")
"""Parameters of a tensor whose result a client could not read if they were ignored, as others are."""

_row = "row {}".format


class Wanted(NamedTuple):
    """The parts of a request that shape its response. `accepted` is the value of Accept-Encoding."""

    id: str | UnsetType
    binary: bool
    accepted: bytes | None


class Inference:
    """See the module."""

    protocol: ClientProtocol = "v2"

    def decode(self, route: Route, call: Call) -> Asked:
        """Decodes JSON or binary tensors; the Content-Type has no influence. Raises UnsupportedBody, TooLarge,
        Malformed or Invalid.
        """
        body = decompressed(call.body(), call.headers.get(b"content-encoding"), call.max_body)
        text, rest = split_body(body, call.headers.get(HEADER))
        request = parse_message(text)
        rows, names = _rows(route, request.inputs, raw_tensors(request.inputs, rest))
        name = UNSET if request.id is None else request.id
        wanted = Wanted(name, _wants_binary(request), call.headers.get(b"accept-encoding"))
        return Asked(rows, _row, _key(request), wanted, names)

    def encode(
        self, route: Route, asked: Asked, version: Version, source: Source, values: Sequence[float]
    ) -> tuple[Headers, bytes]:
        """Encodes the tensor `prediction`, FP64 [n, 1]."""
        wanted: Wanted = asked.context
        output = OutputTensor(OUTPUT, [len(values), 1], "FP64")
        origin = Provenance(version.name, version.digest, version.revision, source)
        response = InferenceResponse(route.name, version.name, origin, [output], wanted.id)
        if wanted.binary:
            raw = to_binary(values)
            output.parameters = {SIZE: len(raw)}
            text = encode(response)
            headers = [(b"content-type", b"application/octet-stream"), (HEADER, b"%d" % len(text)), *version.headers]
            return _finished(headers, text + raw, wanted.accepted)
        output.data = list(values)
        return _finished([JSON, *version.headers], encode(response), wanted.accepted)

    def refuse(self, refusal: PredictionRefusal, request_id: str) -> Answer:  # noqa: ARG002 - a header has it
        """Encodes `error`."""
        if isinstance(refusal, RouteNotFound):
            return error_answer(404, NO_MODEL)
        return refusal_answer(refusal)


INFERENCE = Inference()


def _finished(headers: Headers, body: bytes, accepted: bytes | None) -> tuple[Headers, bytes]:
    coding = response_coding(accepted, len(body))
    if coding is not None:
        body = compressed(body, coding)
        headers.append((b"content-encoding", coding))
    headers.append((b"content-length", b"%d" % len(body)))
    return headers, body


def _key(request: InferenceRequest) -> str | None:
    key = (request.parameters or {}).get("key")
    if key is not None and not isinstance(key, str):
        raise Invalid("/parameters/key", "a text is needed")
    return key or None


def _wants_binary(request: InferenceRequest) -> bool:
    """Returns whether the response is binary: what the output says counts, else what the request says."""
    binary = _flag(request.parameters, "binary_data_output", "") or False
    outputs: Sequence[RequestedOutput] = request.outputs or ()
    if len(outputs) > 1:
        raise Invalid("/outputs", f"there is one output, {OUTPUT}")
    for output in outputs:
        if output.name != OUTPUT:
            raise Invalid("/outputs/0/name", f"there is no such output; the only one is {OUTPUT}")
        _refuse_unsupported(output.parameters, "/outputs/0")
        own = _flag(output.parameters, "binary_data", "/outputs/0")
        binary = binary if own is None else own
    return binary


def _flag(parameters: Parameters | UnsetType | None, name: str, place: str) -> bool | None:
    value = (parameters or {}).get(name)
    if value is not None and not isinstance(value, bool):
        raise Invalid(f"{place}/parameters/{name}", "true or false is needed")
    return value


def _refuse_unsupported(parameters: Parameters | UnsetType | None, place: str) -> None:
    for name in _UNSUPPORTED:
        if parameters and name in parameters:
            raise Invalid(f"{place}/parameters/{name}", "this extension is not supported")


def _rows(
    route: Route, inputs: Sequence[InputTensor], raw: Sequence[memoryview | None]
) -> tuple[Sequence[Row], Sequence[str]]:
    """Returns the rows, and the features that they have."""
    if len(inputs) == 1 and len(inputs[0].shape) == 2 and inputs[0].name not in route.accepted:
        return _matrix(route, inputs[0], raw[0]), route.order or ()
    columns: dict[str, list[float]] = {}
    for number, tensor in enumerate(inputs):
        place = f"/inputs/{number}"
        if tensor.name not in route.accepted:
            raise _unknown(route, tensor, place, alone=len(inputs) == 1)
        _check_column(tensor, place, columns)
        columns[tensor.name] = _values(tensor, raw[number], place)
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


def _matrix(route: Route, tensor: InputTensor, raw: memoryview | None) -> list[list[float]]:
    place = "/inputs/0"
    if route.order is None:
        raise no_order(route, place, "one tensor for each feature is needed")
    width = len(route.order)
    if tensor.shape[1] != width:
        raise Invalid(f"{place}/shape", f"[n, {width}] is needed, for {width} features")
    values = _values(tensor, raw, place)
    return [values[start : start + width] for start in range(0, len(values), width)]


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


def _values(tensor: InputTensor, raw: memoryview | None, place: str) -> list[float]:
    datatype = datatype_named(tensor.datatype, place)
    _refuse_unsupported(tensor.parameters, place)
    count = element_count(tensor.shape, place)
    if raw is not None:
        return binary_values(raw, count, tensor.datatype, datatype, place)
    assert isinstance(tensor.data, list)
    return json_values(tensor.data, tensor.shape, tensor.datatype, place)
