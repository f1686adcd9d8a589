"""One connection of the public listener without a network, answered on the fast path or by the application."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Self, cast

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from linplane_server.http.docs import docs_app
from linplane_server.http.fast_path import FastPath
from linplane_server.http.protocol import Guard, GuardedProtocol
from linplane_server.http.public_app import PublicApp
from linplane_server.http.public_document import document
from linplane_server.http.public_pages import public_pages
from linplane_server.predict.client_identity import ClientIdentity
from linplane_server.predict.predictor import Predictor
from linplane_server.settings import Limits, Public
from linplane_server.state.serving import Serving
from unit.server.builders import Clock

LIMITS = Limits(body_bytes=2_000, head_bytes=8_000, url_bytes=1_000)
PUBLIC = Public()
NOW = 1_000.0


class StoppedLoop:
    """The running loop with a clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = NOW

    def time(self) -> float:
        return self.now

    def create_task(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        return asyncio.get_running_loop().create_task(work)


class Transport:
    """What a client sees of its connection."""

    def __init__(self) -> None:
        self.received = b""
        self.closing = self.ended = self.aborted = self.paused = False
        self.unsent = 0  # what the client has not read

    def write(self, data: bytes) -> None:
        assert not self.closing
        assert not self.ended
        self.received += data

    def write_eof(self) -> None:
        self.ended = True

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.aborted = True

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def get_extra_info(self, name: str) -> Any:
        return ("192.0.2.1", 1024) if name == "peername" else None


async def absent(scope: Scope, receive: Receive, send: Send) -> None:
    """The application for all other paths."""
    await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"no"})


class Wire:
    """A listener and a connection to it. `calls` counts the requests that the application was asked to answer."""

    def __init__(
        self,
        loaded: Serving,
        fast: bool,
        limits: Limits = LIMITS,
        public: Public = PUBLIC,
        docs: bool = False,
    ) -> None:
        """Two of the same state count and number their requests alike. `docs`: it has the documentation."""
        self.serving = loaded
        self.guard = Guard(limits, public.root_path)
        self.loop = StoppedLoop()
        self.calls = 0
        predictor = Predictor(loaded, ClientIdentity(), Clock(), "id", single_route=True, public_names=public.names)
        pages = public_pages(loaded.store, lambda: None, limits.body_bytes, "1", public)
        rest = docs_app(lambda: document("1", pages.table, names=public.names)) if docs else absent
        app = PublicApp(predictor, pages, rest, limits, self.guard.budget, public.root_path)
        self._computes = app.turns.slice.locked

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            self.calls += 1
            await app(scope, receive, send)

        self.config = uvicorn.Config(counted, ws="none", lifespan="off", log_config=None, proxy_headers=False)
        self.config.load()
        self.server = ServerState()
        self.server.default_headers = [(b"date", b"Thu, 01 Jan 1970 00:00:00 GMT")]
        self.fast_path = FastPath(predictor.respond, predictor.count_incomplete, limits.body_bytes, public.root_path)
        self._make = self.fast_path.protocol(self.guard) if fast else self.guard.protocol()
        self.connect()

    def connect(self) -> None:
        """Continues with another connection."""
        self.transport = Transport()
        self.protocol = cast("GuardedProtocol", self._make(self.config, self.server, {}, self.loop))
        self.protocol.connection_made(self.transport)  # type: ignore[arg-type]

    async def send(self, *segments: bytes) -> bytes:
        """Delivers segments, as long as the server reads, each after the answers to those before it. Returns all that
        was answered so far.
        """
        for segment in segments:
            if self.transport.closing:
                break
            assert not self.transport.paused
            self.protocol.data_received(segment)
            await self.settled()
        return self.transport.received

    @property
    def state(self) -> dict[str, Any]:
        """All that a client and an operator can see."""
        transport, protocol = self.transport, self.protocol
        return {
            "received": transport.received,
            "closing": transport.closing,
            "ended": transport.ended,
            "aborted": transport.aborted,
            "paused": transport.paused and not transport.closing,
            "phase": protocol.phase,
            "due": protocol.due,
            "requests": self.server.total_requests,
            "counted": counted(self.serving),
            "held": self.guard.budget.held,
        }

    async def act(self, action: Callable[[Self], object]) -> None:
        """Does something to it, and lets it act on that."""
        action(self)
        await self.settled()

    async def settled(self) -> None:
        """Lets every task run until it waits for more input."""
        unchanged, before = 0, None
        while unchanged < 5:
            await asyncio.sleep(0)
            now = (self.calls, len(self.transport.received), len(self.protocol.tasks))
            unchanged, before = (unchanged + 1 if now == before and not self._computes() else 0), now


def counted(loaded: Serving) -> list[Any]:
    """Every counter of requests."""
    series = [("", "", loaded.counters.unrouted), *loaded.counters.items()]
    return [(route, version, one.requests, one.errors, one.missing) for route, version, one in series]
