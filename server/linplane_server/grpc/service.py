"""Maps the calls of inference.GRPCInferenceService to their answers."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from ..interfaces.grpc import inference_pb2 as pb
from ..interfaces.grpc.infer import ModelInfer
from ..interfaces.grpc.metadata import Metadata
from ..interfaces.grpc.statuses import Refusal, metadata_of, refusal_of
from ..predict.interface import Answer, Call, Target, by_name
from ..predict.parts import ALONE, WHOLE_BYTES, Steps
from ..predict.predictor import Predictor
from ..turns import Turns
from .calls import CallError, Context, Peers, Reader, address_of, ending

SERVICE = "inference.GRPCInferenceService"

Method = Callable[[Context], Awaitable[bytes]]
M = TypeVar("M", bound=Message)


class InferenceService:
    """The service. `readers` read the messages: of inferences, and all others, which so need not wait for those.
    `peers` counts the calls. `turns` are those of requests that are computed in slices. `max_body` is
    the limit of a body of JSON, in bytes.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - its collaborators, and a limit
        self,
        predictor: Predictor,
        metadata: Metadata,
        readers: tuple[Reader, Reader],
        peers: Peers,
        turns: Turns,
        max_body: int,
    ) -> None:
        """See the class."""
        self._predictor = predictor
        self._max_body = max_body
        self._metadata = metadata
        self._inferences, self._others = readers
        self._peers = peers
        self._turns = turns

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
        return {
            name: grpc.stream_unary_rpc_method_handler(ending(method, self._peers)) for name, method in methods.items()
        }

    async def _infer(self, context: Context) -> bytes:
        async with self._inferences.read(context, pb.ModelInferRequest()) as message:
            target = Target(ModelInfer(message), message.model_name, message.model_version or None)
            call = _call(context, self._max_body)
            if message.ByteSize() <= WHOLE_BYTES:
                answer = self._predictor.respond(target, call)
            else:
                answer = await self._in_slices(self._predictor.stream(target, call))
        status, headers, content = answer
        if status != 200:
            raise CallError(refusal_of(answer))
        context.set_trailing_metadata(metadata_of(headers))
        return content

    async def _in_slices(self, steps: Steps) -> Answer:
        """Returns the answer to a message, which is there as a whole."""
        ends = AsyncExitStack()
        try:
            step = next(steps)
            while True:
                if step is None:
                    await self._turns.give_way()
                elif step == ALONE:
                    await ends.enter_async_context(self._turns.alone)
                step = steps.send(None)
        except StopIteration as done:
            answer: Answer = done.value
            return answer
        finally:
            steps.close()
            await ends.aclose()

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
