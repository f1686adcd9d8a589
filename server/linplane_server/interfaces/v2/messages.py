"""The JSON of the protocol as types. Members of a request that are unknown are ignored, as clients send some (kserve's
repeats the model's name), and null counts as absent.
"""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from ...errors import Invalid
from ...predict.interface import Slices
from ..json_body import REFUSED, check_decodable, check_depth, check_duplicates
from ..lenient_json import parse_leniently
from .message_errors import check_request

Parameters = dict[str, Any]
Number = int | float | bool
Data = list[Number | list[Number]]
"""The data of a tensor, flat and row-major, or nested like its shape."""


class RequestedOutput(msgspec.Struct):
    """An output that the client wants."""

    name: str
    parameters: Parameters | UnsetType | None = UNSET


class InputTensor(msgspec.Struct):
    """A tensor of a request, with `data`, or with the parameter `binary_data_size`."""

    name: str
    shape: list[int]
    datatype: str
    parameters: Parameters | UnsetType | None = UNSET
    data: Data | UnsetType | None = UNSET


class InferenceRequest(msgspec.Struct):
    """A request. `model_name` is ignored: the path names the model."""

    inputs: list[InputTensor]
    id: str | UnsetType | None = UNSET
    parameters: Parameters | UnsetType | None = UNSET
    outputs: list[RequestedOutput] | UnsetType | None = UNSET
    model_name: Any = UNSET


class OutputTensor(msgspec.Struct):
    """A tensor of a response, with `data`, or with the parameter `binary_data_size`."""

    name: str
    shape: list[int]
    datatype: str
    parameters: Parameters | UnsetType = UNSET
    data: list[float] | UnsetType = UNSET


class Provenance(msgspec.Struct, rename="camel"):
    """The parameters of a response: what answered, and by which input it was chosen."""

    version: str
    digest: str
    revision: str
    assigned_by: str


class InferenceResponse(msgspec.Struct):
    """A response; `id` is that of the request."""

    model_name: str
    model_version: str
    parameters: Provenance
    outputs: list[OutputTensor]
    id: str | UnsetType = UNSET


encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(InferenceRequest).decode


def parse_message(data: bytes) -> Slices[InferenceRequest]:
    """Returns the request. Raises Malformed, or Invalid for JSON that is no request; neither repeats a value."""
    check_depth(data)  # the decoder skips unknown members at any depth
    try:
        request = _decode(data)
    except REFUSED:
        yield
        yield from check_request((yield from parse_leniently(data)))
        check_decodable(data)
        raise Invalid("/inputs", "a dimension is not written as an integer") from None
    if data.count(b":") != _keys(request):
        check_duplicates(data)
    return request


def _keys(request: InferenceRequest) -> int:
    """Counts the keys that were decoded, for `check_duplicates`; unknown members are not counted."""
    count = 1 + _present(request.id, request.parameters, request.outputs, request.model_name)
    count += len(request.parameters or ())
    for tensor in request.inputs:
        count += 3 + _present(tensor.parameters, tensor.data) + len(tensor.parameters or ())
    for output in request.outputs or ():
        count += 1 + _present(output.parameters) + len(output.parameters or ())
    return count


def _present(*values: Any) -> int:
    return len(values) - values.count(UNSET)
