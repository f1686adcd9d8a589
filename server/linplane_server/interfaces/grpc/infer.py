"""ModelInfer: messages to the requests of `v2`, predictions to messages."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import UNSET

from ...errors import Invalid, PredictionRefusal, TooLarge
from ...predict.interface import Answer, Asked, Call, DecodesWhole
from ...predict.router import Source
from ...problems import Headers
from ...state.counters import ClientProtocol
from ...state.snapshot import Route, Version
from ..v2.binary import to_binary
from ..v2.head import OUTPUT, head_of, is_streamed, wants_binary
from ..v2.infer import INFERENCE, decode_tensors
from ..v2.messages import InferenceRequest, InputTensor, RequestedOutput
from ..v2.tensors import DATATYPES, HALF, check_finite
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
        message = self._message
        raw = _raw_contents(message)
        tensors = [_tensor(message, number, typed=not raw) for number in range(len(message.inputs))]
        outputs = [RequestedOutput(one.name, _parameters(one.parameters)) for one in message.outputs]
        request = InferenceRequest(tensors, parameters=_parameters(message.parameters), outputs=outputs or UNSET)
        wanted = Wanted(message.id, wants_binary(request, default=bool(raw)))
        if not raw:
            raw = [None] * len(tensors)
        places = [None if data is None else slice(0, len(data)) for data in raw]
        head = head_of(route, request, places, wanted)
        count = sum(_count(*one) for one in zip(tensors, raw, strict=True))
        if count > call.max_body // 2 and (head.matrix is None or raw[0] is None or not is_streamed(tensors[0])):
            raise TooLarge(f"{count} numbers are over the {call.max_body // 2} of one request; send fewer rows")
        return decode_tensors(route, head, raw)

    def encode(
        self, route: Route, asked: Asked, version: Version, source: Source, values: Sequence[float]
    ) -> tuple[Headers, bytes]:
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
        else:
            output.contents.fp64_contents.extend(values)
        return [], response.SerializeToString()

    def refuse(self, refusal: PredictionRefusal, request_id: str) -> Answer:
        """Answers as HTTP does, for `statuses.refusal_of`."""
        return INFERENCE.refuse(refusal, request_id)


def _raw_contents(message: ModelInferRequest) -> list[memoryview | None]:
    """Returns the bytes of each tensor; nothing if the tensors have typed contents. Raises Invalid."""
    raw: list[memoryview | None] = [memoryview(data) for data in message.raw_input_contents]
    if raw and len(raw) != len(message.inputs):
        raise Invalid("/raw_input_contents", "as many elements as there are inputs are needed")
    return raw


def _count(tensor: InputTensor, raw: memoryview | None) -> int:
    """Returns the number of values, or of those that there may be at most if the shape is wrong."""
    return len(tensor.data or ()) if raw is None else min(len(raw), max(0, math.prod(tensor.shape)))


def _tensor(message: ModelInferRequest, number: int, *, typed: bool) -> InputTensor:
    tensor = message.inputs[number]
    place = f"/inputs/{number}"
    result = InputTensor(tensor.name, list(tensor.shape), tensor.datatype, _parameters(tensor.parameters))
    if typed:
        result.data = _typed(tensor.contents, tensor.datatype, place)
    elif tensor.HasField("contents"):
        raise Invalid(f"{place}/contents", "either contents or raw_input_contents is needed")
    return result


def _typed(contents: InferTensorContents, datatype: str, place: str) -> list[Any]:
    if datatype == HALF:
        raise Invalid(f"{place}/contents", "FP16 has no typed contents; send it by raw_input_contents")
    if datatype not in DATATYPES:
        return []  # refused with its name by those who read the tensor
    field = _FIELDS[datatype]
    for descriptor, _ in contents.ListFields():
        if descriptor.name != field:
            raise Invalid(f"{place}/contents", f"the elements of {datatype} are needed in {field}")
    values = list(getattr(contents, field))
    if datatype == "FP64":
        check_finite(values, f"{place}/data")
    return values


def _parameters(parameters: Mapping[str, InferParameter]) -> dict[str, Any]:
    found = {}
    for name, value in parameters.items():
        choice = value.WhichOneof("parameter_choice")
        found[name] = None if choice is None else getattr(value, choice)
    return found
