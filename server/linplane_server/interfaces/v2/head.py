"""What is known of an inference request before the values of its tensors: pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec import UNSET, UnsetType

from ...errors import Invalid
from ...predict.interface import Asked, NotStreamed, Slices
from ...predict.rows import no_order
from ...state.snapshot import Route
from ..content_type import IDENTITY, content_coding
from .binary import HEADER, check_size, raw_places
from .messages import InferenceRequest, InputTensor, Parameters, RequestedOutput, parse_message
from .tensors import BOOL, Datatype, datatype_named, element_count

OUTPUT = "prediction"

STREAMED_HEAD = 1 << 16
"""Bytes of JSON up to which a body is streamed. That of one tensor has a few hundred."""

_UNSUPPORTED = ("classification", "shared_memory_region")
"""Parameters of a tensor whose result a client could not read if they were ignored, as others are."""

_row = "row {}".format


class Wanted(NamedTuple):
    """The parts of a request that shape its response. `accepted` is the value of Accept-Encoding."""

    id: str | UnsetType
    binary: bool
    accepted: bytes | None


class Head(NamedTuple):
    """`asked` has no rows. `places` are those of the tensors in the bytes after the JSON, None for one given as JSON.
    `matrix` is the datatype of the only tensor, if that is the matrix of all features.
    """

    asked: Asked
    inputs: Sequence[InputTensor]
    places: Sequence[slice | None]
    matrix: Datatype | None


def read_head(route: Route, headers: Mapping[bytes, bytes], text: bytes, length: int | None) -> Slices[Head]:
    """Reads the JSON `text`, which `length` bytes follow; None if the header is absent. Raises Malformed or Invalid."""
    request = yield from parse_message(text)
    places = raw_places(request.inputs, length)
    name = UNSET if request.id is None else request.id
    wanted = Wanted(name, wants_binary(request), headers.get(b"accept-encoding"))
    return head_of(route, request, places, wanted)


def head_of(route: Route, request: InferenceRequest, places: Sequence[slice | None], context: object) -> Head:
    """Returns the head of a request; `context` is what the response needs. Raises Invalid."""
    inputs = request.inputs
    matrix = None
    if len(inputs) == 1 and len(inputs[0].shape) == 2 and inputs[0].name not in route.accepted:
        matrix = _matrix(route, inputs[0], places[0])
    return Head(Asked((), _row, _key(request), context, route.order or ()), inputs, places, matrix)


def streamed_head(headers: Mapping[bytes, bytes]) -> int:
    """Returns the length of the JSON of a body that may be streamed. Raises NotStreamed for one that is compressed, or
    not of known length, and for invalid headers.
    """
    declared, whole = headers.get(HEADER, b""), headers.get(b"content-length", b"")
    if content_coding(headers.get(b"content-encoding")) != IDENTITY or not (declared.isdigit() and whole.isdigit()):
        raise NotStreamed
    if len(declared) > 18 or not 0 < int(declared) <= min(STREAMED_HEAD, int(whole)):
        raise NotStreamed
    return int(declared)


def check_tensor(tensor: InputTensor, raw: slice | None, place: str) -> tuple[Datatype, int]:
    """Returns the datatype of a tensor, and the number of its elements. Raises Invalid if it has no numbers, an
    unsupported parameter, another shape than [n] or [n, width], or in binary another size.
    """
    datatype = datatype_named(tensor.datatype, place)
    _refuse_unsupported(tensor.parameters, place)
    count = element_count(tensor.shape, place)
    if raw is not None:
        check_size(raw.stop - raw.start, count, datatype, place)
    return datatype, count


def _matrix(route: Route, tensor: InputTensor, raw: slice | None) -> Datatype:
    place = "/inputs/0"
    if route.order is None:
        raise no_order(route, place, "one tensor for each feature is needed")
    width = len(route.order)
    if tensor.shape[1] != width:
        raise Invalid(f"{place}/shape", f"[n, {width}] is needed, for {width} features")
    return check_tensor(tensor, raw, place)[0]


def is_streamed(tensor: InputTensor) -> bool:
    """Returns whether rows of a binary tensor are computed from its bytes: not those of BOOL, whose bytes are checked
    first.
    """
    return tensor.datatype != BOOL


def _key(request: InferenceRequest) -> str | None:
    key = (request.parameters or {}).get("key")
    if key is not None and not isinstance(key, str):
        raise Invalid("/parameters/key", "a text is needed")
    return key or None


def wants_binary(request: InferenceRequest, *, default: bool = False) -> bool:
    """Returns whether the response is binary: what the output says counts, else what the request says, else the
    default. Raises Invalid.
    """
    own = _flag(request.parameters, "binary_data_output", "")
    binary = default if own is None else own
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
