"""grpc.health.v1.Health, which kubelets, load balancers and clients call: the health of the server, and of its
inference service, is its readiness.

Source: grpc/grpc, doc/health-checking.md.
"""

import asyncio
from typing import Any

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from ..interfaces.grpc.statuses import NOT_FOUND, Refusal
from ..state.readiness import Readiness
from .calls import CallError, Context, Peers, Reader, ending
from .service import SERVICE

HEALTH = "grpc.health.v1.Health"

_SERVING, _NOT_SERVING, _UNKNOWN = map(
    HealthCheckResponse.ServingStatus.Value, ("SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
)

POLL_SECONDS = 0.5
"""Between two looks of a Watch: readiness is computed when it is read, so nothing announces a change."""


class HealthService:
    """The service."""

    def __init__(self, readiness: Readiness, reader: Reader, peers: Peers) -> None:
        """`reader` reads the messages, and `peers` counts the calls."""
        self._peers = peers
        self._readiness = readiness
        self._reader = reader

    def methods(self) -> dict[str, "grpc.RpcMethodHandler[Any, Any]"]:
        """Returns the handlers by the names of the methods."""
        return {
            "Check": grpc.stream_unary_rpc_method_handler(ending(self._check, self._peers)),
            "Watch": grpc.stream_stream_rpc_method_handler(ending(self._watch, self._peers)),
        }

    async def _check(self, context: Context) -> bytes:
        status = self._status(await self._service(context))
        if status == _UNKNOWN:
            raise CallError(Refusal(NOT_FOUND, "no such service"))
        return _encoded(status)

    async def _watch(self, context: Context) -> None:
        """Sends the status, and each change of it. It ends at the drain, after which nothing changes."""
        service = await self._service(context)
        last = None
        while True:
            status = self._status(service)
            if status != last:
                await context.write(_encoded(status))
                last = status
            if self._readiness.draining:
                return
            await asyncio.sleep(POLL_SECONDS)

    async def _service(self, context: Context) -> str:
        async with self._reader.read(context, HealthCheckRequest()) as message:
            return str(message.service)

    def _status(self, service: str) -> int:
        if service not in {"", SERVICE}:
            return int(_UNKNOWN)
        return int(_SERVING if self._readiness.unready() is None else _NOT_SERVING)


def _encoded(status: int) -> bytes:
    return bytes(HealthCheckResponse(status=status).SerializeToString())
