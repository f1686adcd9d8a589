"""The services of gRPC without a network."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.message import Message

from linplane_server.grpc.calls import Peers, Reader
from linplane_server.grpc.health import HealthService
from linplane_server.grpc.service import InferenceService
from linplane_server.http.public_pages import PublicPages
from linplane_server.interfaces.grpc.metadata import Metadata
from linplane_server.interfaces.v2.pages import V2Pages
from linplane_server.predict.client_identity import ClientIdentity
from linplane_server.predict.predictor import Predictor
from linplane_server.settings import Public
from linplane_server.state.readiness import Readiness
from linplane_server.state.serving import Serving
from linplane_server.turns import Turns
from unit.server.builders import Clock
from unit.server.oip_grpc import FakeContext

MAX_BODY = 64


class Calls:
    """The services of a server, with room for `messages` that are read at a time and `waiting` calls."""

    def __init__(
        self,
        loaded: Serving,
        messages: int = 1,
        waiting: int = 1,
        seconds: float = 60,
        patience: float = 60,
        public: bool = True,
        per_peer: int = 0,
    ) -> None:
        self.readiness = Readiness(loaded.store)
        protocols = [V2Pages(loaded.store, self.readiness.unready, "1.2.3")]
        pages = Metadata(PublicPages(loaded.store, Public(public), protocols).answer)
        predictor = Predictor(loaded, ClientIdentity(), Clock(), "id", public_names=public)
        inferences, others = (Reader(messages, waiting, seconds, patience) for _ in range(2))
        peers = Peers(per_peer)
        self.methods: dict[str, Any] = {
            **InferenceService(predictor, pages, (inferences, others), peers, Turns(), MAX_BODY).methods(),
            **HealthService(self.readiness, others, peers).methods(),
        }

    async def call(self, name: str, context: FakeContext) -> bytes | None:
        """The response; None if the call ended with a status, which the context has."""
        method = self.methods[name]
        handle: Callable[..., Awaitable[bytes | None]] = method.stream_unary or method.stream_stream
        try:
            return await handle(None, context)
        except grpc.aio.AbortError:
            return None

    async def get(self, name: str, request: Message, response: Any) -> Any:
        """A response as a message; or the code of the status."""
        context = FakeContext(request.SerializeToString())
        found = await self.call(name, context)
        if found is None:
            assert context.status is not None
            return context.status[0].name
        return response.FromString(found)
