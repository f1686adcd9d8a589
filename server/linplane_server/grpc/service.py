"""Maps the calls of inference.GRPCInferenceService to their answers."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import unquote

import grpc
from google.protobuf.message import Message

from ..interfaces.grpc import inference_pb2 as pb
from ..interfaces.grpc.infer import ModelInfer
from ..interfaces.grpc.metadata import Metadata
from ..interfaces.grpc.statuses import Refusal, metadata_of, refusal_of
from ..predict.interface import Answer, Call, Target, by_name
from .calls import CallError, Context, Reader, ending

SERVICE = "inference.GRPCInferenceService"

Respond = Callable[[Target, Call], Answer]
Method = Callable[[Context], Awaitable[bytes]]
M = TypeVar("M", bound=Message)


class InferenceService:
    """The service. `respond` is the predictor's. `inferences` reads the messages of inferences, `others` all others,
    which so need not wait for those. `max_body` is the limit of a body of JSON, in bytes.
    """

    def __init__(self, respond: Respond, metadata: Metadata, inferences: Reader, others: Reader, max_body: int) -> None:
        """See the class."""
        self._respond = respond
        self._max_body = max_body
        self._metadata = metadata
        self._inferences = inferences
        self._others = others

    def methods(self) -> dict[str, "grpc.RpcMethodHandler[Any, Any]"]:
        """Returns the handlers by the names of the methods."""
        metadata = self._metadata
        methods: dict[str, Method] = {
            "ModelInfer": self._infer,
            "ServerLive": _without_message(metadata.server_live),
            "ServerReady": _without_message(metadata.server_ready),
            "ServerMetadata": _without_message(metadata.server_metadata),
            "ModelReady": self._with_message(pb.ModelReadyRequest, metadata.model_ready),
            "ModelMetadata": self._with_message(pb.ModelMetadataRequest, metadata.model_metadata),
            "RepositoryIndex": self._with_message(pb.RepositoryIndexRequest, metadata.repository_index),
        }
        return {name: grpc.stream_unary_rpc_method_handler(ending(method)) for name, method in methods.items()}

    async def _infer(self, context: Context) -> bytes:
        async with self._inferences.read(context, pb.ModelInferRequest()) as message:
            target = Target(ModelInfer(message), message.model_name, message.model_version or None)
            answer = self._respond(target, _call(context, self._max_body))
        status, headers, content = answer
        if status != 200:
            raise CallError(refusal_of(answer))
        context.set_trailing_metadata(metadata_of(headers))
        return content

    def _with_message(self, request: type[M], answer: Callable[[M], Message | Refusal]) -> Method:
        async def method(context: Context) -> bytes:
            async with self._others.read(context, request()) as message:
                return _encoded(answer(message))

        return method


def _without_message(answer: Callable[[], Message | Refusal]) -> Method:
    async def method(context: Context) -> bytes:  # noqa: ARG001 - its message is empty
        return _encoded(answer())

    return method


def _encoded(answer: Message | Refusal) -> bytes:
    if isinstance(answer, Refusal):
        raise CallError(answer)
    return answer.SerializeToString()


def _call(context: Context, max_body: int) -> Call:
    sent = context.invocation_metadata() or ()
    fields = [(name.encode(), value if isinstance(value, bytes) else value.encode()) for name, value in sent]
    return Call("POST", fields, by_name(fields), address_of(context.peer()), b"", max_body)


def address_of(peer: str) -> str:
    """Returns the address in a peer as gRPC writes it, `ipv4:192.0.2.1:50000` or `ipv6:%5B::1%5D:50000`; another peer,
    such as a Unix socket, as it is.
    """
    family, _, rest = unquote(peer).partition(":")
    if family not in {"ipv4", "ipv6"}:
        return peer
    return rest.rpartition(":")[0].strip("[]")
