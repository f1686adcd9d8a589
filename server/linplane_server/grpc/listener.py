"""The port of gRPC: a server in the process's event loop."""

import grpc

from ..interfaces.grpc.metadata import Metadata, Page
from ..predict.predictor import Predictor
from ..settings import KIB, MIB, Limits
from ..state.readiness import Readiness
from ..turns import Turns
from .calls import Peers, Reader
from .health import HEALTH, HealthService
from .service import SERVICE, InferenceService

MAX_MESSAGES = 64
"""Messages of inferences in flight, however small they may be; no more than `in_flight_bytes` if each is as large as it
may be.
"""
OTHER_MESSAGES = 16
OTHER_SECONDS = 2.0
"""How long a turn waits for a message of a few bytes."""
PATIENCE = 1.0
"""How long a turn waits for a message while other calls wait; 4 MiB need 0.4 s at 100 Mbit/s."""
MAX_WAITING = 1024
"""Calls that wait for their turn; each takes a few KiB, and UNREAD_BYTES."""
UNREAD_BYTES = 16 * KIB
"""How much of a message arrives before it is read: HTTP/2's initial window of a call."""
STREAMS = 100
"""Simultaneous calls of one connection."""


class GrpcListener:
    """The server on its port, `address`."""

    def __init__(  # noqa: PLR0913, PLR0917 - its collaborators, and its place
        self,
        predictor: Predictor,
        page: Page,
        readiness: Readiness,
        limits: Limits,
        turns: Turns,
        place: tuple[str, int],
    ) -> None:
        """Listens on `place`, host and port, 0 for any port that is free; calls wait until `start`. Needs a running
        event loop. Raises OSError. `turns`: see `InferenceService`.
        """
        seconds = limits.body_seconds + limits.message_bytes / MIB
        messages = max(1, min(MAX_MESSAGES, limits.in_flight_bytes // max(1, limits.message_bytes)))
        inferences = Reader(messages, MAX_WAITING, seconds, PATIENCE)
        others, probes = (Reader(OTHER_MESSAGES, MAX_WAITING, OTHER_SECONDS, PATIENCE) for _ in range(2))
        peers = Peers(limits.connections_per_peer)
        services = {
            SERVICE: InferenceService(
                predictor, Metadata(page), (inferences, others), peers, turns, limits.body_bytes
            ).methods(),
            HEALTH: HealthService(readiness, probes, peers).methods(),
        }
        self._server = grpc.aio.server(options=_channel_options(limits))
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(service, methods) for service, methods in services.items()]
        )
        host = f"[{place[0]}]" if ":" in place[0] else place[0]
        try:
            self.port = self._server.add_insecure_port(f"{host}:{place[1]}")
        except RuntimeError as error:
            raise OSError(f"gRPC cannot listen on {host}:{place[1]}") from error
        self.address = f"{host}:{self.port}"

    async def start(self) -> None:
        """Answers calls from now on."""
        await self._server.start()

    async def stop(self, seconds: float) -> None:
        """Accepts no more calls, and completes those in flight, for at most `seconds`."""
        await self._server.stop(seconds)


def _channel_options(limits: Limits) -> list[tuple[str, int]]:
    """Returns the limits of HTTP as gRPC's settings, as far as it has them."""
    return [
        ("grpc.so_reuseport", 0),  # a second server on the same port is an error
        ("grpc.max_receive_message_length", limits.message_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_concurrent_streams", STREAMS),
        ("grpc.server_handshake_timeout_ms", round(limits.first_byte_seconds * 1000)),
        ("grpc.max_connection_idle_ms", round(limits.idle_seconds * 1000)),
        ("grpc.enable_http_proxy", 0),
        ("grpc.http2.lookahead_bytes", UNREAD_BYTES),
        ("grpc.http2.bdp_probe", 0),  # else that window grows to several MiB on a fast network
    ]
