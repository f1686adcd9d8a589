"""ModelInfer: messages to the requests of `v2`, predictions to messages."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import UNSET

from ...errors import Invalid, PredictionRefusal, TooLarge
from ...predict.interface import Answer, Asked, Call, Content, DecodesWhole, Pieces, Slices
from ...predict.matrix import Matrix
from ...predict.router import Source
from ...predict.rows import in_blocks
from ...problems import Headers
from ...state.counters import ClientProtocol
from ...state.snapshot import Route, Version
from ..json_answers import SLICE
from ..v2.binary import to_binary
from ..v2.head import OUTPUT, Head, head_of, is_streamed, wants_binary
from ..v2.infer import INFERENCE, decode_tensors
from ..v2.messages import InferenceRequest, InputTensor, RequestedOutput
from ..v2.pieces import PIECE, Numbers, binary_numbers, blocks
from ..v2.tensors import DATATYPES, HALF, check_finite, json_values
from .inference_pb2 import InferParameter, InferTensorContents, ModelInferRequest, ModelInferResponse

_FIELDS = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
}
"""The field of InferTensorContents that a datatype uses."""


Contents = memoryview | Sequence[Any]
"""The bytes of a tensor, or its typed elements."""


class Wanted(NamedTuple):
    """The parts of a request that shape its response; `raw`: whether the values are bytes."""

    id: str
    raw: bool


class ModelInfer(DecodesWhole):
    """The interface of one call; see the module. The message is the call's, as it names the route."""

    protocol: ClientProtocol = "grpc"

    def __init__(self, message: ModelInferRequest) -> None:
        """Reads nothing of the message yet."""
        self._message = message

    def decode(self, route: Route, call: Call) -> Asked:
        """Decodes the tensors, raw or typed. Raises Invalid, and TooLarge for more numbers than a body of JSON can
        have, unless they are computed from the bytes of a matrix.
        """
        head, contents = self._open(route, call)
        raw: list[memoryview | None] = []
        for number, (tensor, content) in enumerate(zip(head.inputs, contents, strict=True)):
            raw.append(content if isinstance(content, memoryview) else None)
            if not isinstance(content, memoryview):
                tensor.data = _typed(content, tensor.datatype, f"/inputs/{number}")
        return decode_tensors(route, head, raw)

    def decode_in_slices(self, route: Route, call: Call) -> Slices[Asked]:
        """As `decode`, but at once: what is refused, and what is odd."""
        yield
        return self.decode(route, call)

    def open_pieces(self, route: Route, call: Call) -> Pieces:
        """Decodes the tensors in pieces."""
        head, contents = self._open(route, call)
        yield
        raw = contents[0] if contents else None
        if _is_computed_from_bytes(head) and isinstance(raw, memoryview) and raw and head.matrix:
            return head.asked, in_blocks(Matrix(raw, head.matrix.code, len(route.order or ())))
        return head.asked, blocks(route, head, [_numbers(head, number, one) for number, one in enumerate(contents)])

    def _open(self, route: Route, call: Call) -> tuple[Head, list[Contents]]:
        """Returns the head, and the contents of each tensor."""
        message = self._message
        if message.raw_input_contents and len(message.raw_input_contents) != len(message.inputs):
            raise Invalid("/raw_input_contents", "as many elements as there are inputs are needed")
        tensors = [
            InputTensor(one.name, list(one.shape), one.datatype, _parameters(one.parameters)) for one in message.inputs
        ]
        contents = [_contents(message, number) for number in range(len(tensors))]
        outputs = [RequestedOutput(one.name, _parameters(one.parameters)) for one in message.outputs]
        request = InferenceRequest(tensors, parameters=_parameters(message.parameters), outputs=outputs or UNSET)
        wanted = Wanted(message.id, wants_binary(request, default=bool(message.raw_input_contents)))
        places = [slice(0, len(one)) if isinstance(one, memoryview) else None for one in contents]
        head = head_of(route, request, places, wanted)
        count = sum(_count(*one) for one in zip(tensors, contents, strict=True))
        if count > call.max_body // 2 and not _is_computed_from_bytes(head):
            raise TooLarge(f"{count} numbers are over the {call.max_body // 2} of one request; send fewer rows")
        return head, contents

    def encode(
        self, route: Route, asked: Asked, version: Version, source: Source, values: Sequence[float]
    ) -> tuple[Headers, Content]:
        """Encodes the tensor `prediction`, FP64 [n, 1]; no headers."""
        wanted: Wanted = asked.context
        response = ModelInferResponse(model_name=route.name, model_version=version.name, id=wanted.id)
        origin = {
            "version": version.name,
            "digest": version.digest,
            "revision": version.revision,
            "assignedBy": source,
        }
        for name, value in origin.items():
            response.parameters[name].string_param = value
        output = response.outputs.add(name=OUTPUT, datatype="FP64", shape=[len(values), 1])
        if wanted.raw:
            response.raw_output_contents.append(to_binary(values))
        elif len(values) > SLICE:
            return [], _in_slices(response, output.contents, values)
        else:
            output.contents.fp64_contents.extend(values)
        return [], response.SerializeToString()

    def refuse(self, refusal: PredictionRefusal, request_id: str) -> Answer:
        """Answers as HTTP does, for `statuses.refusal_of`."""
        return INFERENCE.refuse(refusal, request_id)


def _is_computed_from_bytes(head: Head) -> bool:
    return head.matrix is not None and head.places[0] is not None and is_streamed(head.inputs[0])


def _count(tensor: InputTensor, contents: Contents) -> int:
    """Returns the number of values, or of those that there may be at most if the shape is wrong."""
    count = len(contents)
    return min(count, max(0, math.prod(tensor.shape))) if isinstance(contents, memoryview) else count


def _contents(message: ModelInferRequest, number: int) -> Contents:
    """Returns the bytes of a tensor, or its typed elements. Raises Invalid."""
    tensor = message.inputs[number]
    place, datatype = f"/inputs/{number}/contents", tensor.datatype
    if message.raw_input_contents:
        if tensor.HasField("contents"):
            raise Invalid(place, "either contents or raw_input_contents is needed")
        return memoryview(message.raw_input_contents[number])
    if datatype == HALF:
        raise Invalid(place, "FP16 has no typed contents; send it by raw_input_contents")
    if datatype not in DATATYPES:
        return ()  # refused with its name by those who read the tensor
    field = _FIELDS[datatype]
    for descriptor, _ in tensor.contents.ListFields():
        if descriptor.name != field:
            raise Invalid(place, f"the elements of {datatype} are needed in {field}")
    elements: Contents = getattr(tensor.contents, field)
    return elements


def _typed(elements: Sequence[Any], datatype: str, place: str) -> list[Any]:
    values = list(elements)
    if datatype == "FP64":
        check_finite(values, f"{place}/data")
    return values


def _numbers(head: Head, number: int, contents: Contents) -> Numbers:
    tensor, place = head.inputs[number], f"/inputs/{number}"
    if isinstance(contents, memoryview):
        yield from binary_numbers(contents, tensor, place)
        return
    for begin in range(0, len(contents), PIECE):
        values = _typed(contents[begin : begin + PIECE], tensor.datatype, place)
        yield json_values(values, [len(values)], tensor.datatype, place)


def _in_slices(response: ModelInferResponse, contents: InferTensorContents, values: Sequence[float]) -> Iterator[bytes]:
    for begin in range(0, len(values), SLICE):
        contents.fp64_contents.extend(values[begin : begin + SLICE])
        yield b""
    yield response.SerializeToString()


def _parameters(parameters: Mapping[str, InferParameter]) -> dict[str, Any]:
    found = {}
    for name, value in parameters.items():
        choice = value.WhichOneof("parameter_choice")
        found[name] = None if choice is None else getattr(value, choice)
    return found
