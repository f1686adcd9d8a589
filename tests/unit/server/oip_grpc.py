"""Messages of the Open Inference Protocol for tests, and a call as gRPC gives it to a method."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import grpc

from linplane_server.interfaces.grpc.infer import ModelInfer
from linplane_server.interfaces.grpc.inference_pb2 import InferParameter, ModelInferRequest, ModelInferResponse
from linplane_server.interfaces.grpc.statuses import refusal_of
from linplane_server.predict.interface import Call, Target
from unit.server.builders import Client
from unit.server.oip import packed

CONTENTS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
}
"""The field of each datatype that has typed contents."""

_CHOICES: tuple[tuple[type, str], ...] = (
    (bool, "bool_param"),
    (int, "int64_param"),
    (str, "string_param"),
    (float, "double_param"),
)


def message_of(body: Mapping[str, Any], raw: bool = False) -> ModelInferRequest:
    """The message that means what a JSON request does. Raises one of many errors if there is none."""
    message = ModelInferRequest(model_name="homes", id=body.get("id") or "")
    _set_parameters(message.parameters, body.get("parameters"))
    for tensor in body["inputs"]:
        sent = message.inputs.add(name=tensor["name"], datatype=tensor["datatype"], shape=tensor["shape"])
        _set_parameters(sent.parameters, tensor.get("parameters"))
        values = flat(tensor["data"])
        if any(isinstance(value, bool) is not (tensor["datatype"] == "BOOL") for value in values):
            raise TypeError("the message would have other values")
        if raw:
            message.raw_input_contents.append(packed(values, tensor["datatype"]))
        else:
            getattr(sent.contents, CONTENTS[tensor["datatype"]]).extend(values)
    for output in body.get("outputs") or ():
        _set_parameters(message.outputs.add(name=output["name"]).parameters, output.get("parameters"))
    return message


def flat(data: Sequence[Any]) -> list[Any]:
    """The elements of data that may be nested once."""
    return [value for row in data for value in (row if isinstance(row, list) else [row])]


def _set_parameters(sent: Any, parameters: Mapping[str, Any] | None) -> None:
    for name, value in (parameters or {}).items():
        field = next(field for kind, field in _CHOICES if type(value) is kind)
        sent[name].CopyFrom(InferParameter(**{field: value}))


def infer(client: Client, message: ModelInferRequest, **headers: str) -> ModelInferResponse | tuple[str, str]:
    """The response; or code and text of the status that refuses."""
    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    target = Target(ModelInfer(message), message.model_name, message.model_version or None)
    status, out, content = client.predictor.respond(target, Call("POST", fields, dict(fields), "192.0.2.1", b""))
    if status == 200:
        return ModelInferResponse.FromString(content)
    return refusal_of((status, out, content))[:2]


class FakeContext:
    """A call: what the method reads, and how it ends. `arrive` is set when the message is there."""

    def __init__(self, message: bytes | None = b"", *, late: bool = False, peer: str = "ipv4:192.0.2.1:5000") -> None:
        self._message = message
        self._peer = peer
        self.arrive = asyncio.Event()
        self.reading = False
        self.written: list[bytes] = []
        self.status: tuple[grpc.StatusCode, str, Any] | None = None
        self.ended: BaseException | None = None
        self.metadata: tuple[tuple[str, str], ...] = ()
        self.sent: tuple[tuple[str, str], ...] = ()
        if not late:
            self.arrive.set()

    async def read(self) -> Any:
        self.reading = True
        await self.arrive.wait()
        return grpc.aio.EOF if self._message is None else self._message

    async def write(self, message: bytes) -> None:
        self.written.append(message)

    async def abort(self, code: grpc.StatusCode, details: str = "", metadata: Any = ()) -> None:
        self.status = (code, details, metadata)
        self.ended = grpc.aio.AbortError()  # gRPC's keeps it too
        raise self.ended

    def set_trailing_metadata(self, metadata: Any) -> None:
        self.metadata = metadata

    def invocation_metadata(self) -> Any:
        return self.sent

    def peer(self) -> str:
        return self._peer
