"""HTTP/1.1 on the wire: uvicorn's httptools protocol with the bounds that it lacks.

A request's head, target, number of fields and time are bounded, and so are the bytes of a body's framing. A refusal
at this level is a problem+json too, and ends the connection; what the client still sends is thrown away for a moment,
so that it can read the answer.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from ..problems import problem, problem_headers
from ..settings import Limits

FRAMING = 8
"""A chunked body may have so many times its own bytes on the wire (chunks of one byte have six), and a head's size
beside.
"""

_UPGRADE = frozenset({b"upgrade", b"http2-settings", b"connection"})

IDLE, HEAD, BODY, ANSWER = range(4)


class Guard:
    """What the connections of one listener share: limits, the peers' counts, whether the process is draining, and the
    deadlines' sweep.

    One sweep over all connections is cheaper than a timer for each: a deadline is then just a number that the hot
    path sets.
    """

    def __init__(self, limits: Limits) -> None:
        """Not draining."""
        self.limits = limits
        self.draining = False
        self.peers: Counter[str] = Counter()
        self.open: set[GuardedProtocol] = set()

    def protocol(self) -> Callable[..., asyncio.Protocol]:
        """What uvicorn makes connections by."""
        return partial(GuardedProtocol, guard=self)

    def drain(self) -> None:
        """From now on every answer ends its connection, those under way included."""
        self.draining = True
        for connection in self.open:
            if connection.cycle is not None:
                connection.cycle.keep_alive = False

    async def sweep(self) -> None:
        """Ends connections whose deadline passed, at most a tenth of the shortest later. Runs until cancelled."""
        limits = self.limits
        shortest = min(
            limits.first_byte_seconds,
            limits.head_seconds,
            limits.body_seconds,
            limits.answer_seconds,
            limits.idle_seconds,
            limits.linger_seconds,
        )
        interval = min(1.0, max(0.02, shortest / 10))
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(interval)
            now = loop.time()
            for connection in [c for c in self.open if c.due <= now]:
                connection.expire()


class GuardedProtocol(HttpToolsProtocol):
    """One connection. `due` is the loop's time at which it ends unless it gets on."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        guard: Guard,
    ) -> None:
        """See uvicorn."""
        super().__init__(config, server_state, app_state, _loop)
        self.guard = guard
        self.limits = guard.limits
        self.phase = IDLE
        self.due = self.loop.time() + self.limits.first_byte_seconds
        self.wire = 0  # bytes received of the current head or body
        self.head = 0  # bytes of the fields read so far, trailers included
        self.hosts = 0
        self.upgrade = False
        self.discarding = False
        self.refused: tuple[int, str] | None = None

    # connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A peer connected."""
        super().connection_made(transport)
        self.guard.open.add(self)
        peer = self.client[0] if self.client else ""
        self.guard.peers[peer] += 1
        if 0 < self.limits.connections_per_peer < self.guard.peers[peer]:
            self._refuse(429, "this address has too many connections open")

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection ended."""
        self.guard.open.discard(self)
        peer = self.client[0] if self.client else ""
        self.guard.peers[peer] -= 1
        if self.guard.peers[peer] <= 0:
            del self.guard.peers[peer]
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came in."""
        if self.discarding:
            return
        self.wire += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._without_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(*(self.refused or (400, "the request is not HTTP/1.1 by RFC 9112")))
        else:
            if self.phase in (HEAD, BODY):
                self._check_wire()

    def _without_upgrade(self, rest: bytes) -> None:
        """The parser stops at the end of a head that asks for an upgrade. None is offered, so it is parsed once more as
        one that does not ask (RFC 9110, 7.8); Java's clients, for one, ask for h2c with their first request.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._refuse(400, "this is no proxy")
            return
        fields = [(name, value) for name, value in self.headers if name not in _UPGRADE]
        if any(name == b"connection" and b"close" in value.lower() for name, value in self.headers):
            fields.append((b"connection", b"close"))
        head = b"".join(b"%s: %s\r\n" % field for field in fields)
        self.parser = httptools.HttpRequestParser(self)
        self.wire = 0
        self.data_received(b"%s %s HTTP/1.1\r\n%s\r\n%s" % (method, self.url, head, rest))

    def _check_wire(self) -> None:
        limits = self.limits
        if self.phase == HEAD and self.wire > limits.head_bytes:
            self._refuse(431, f"request line and fields are over {limits.head_bytes} bytes")
        elif self.phase == BODY and self.wire > FRAMING * limits.body_bytes + limits.head_bytes:
            self._refuse(413, "the body is too large")

    # parser

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self.phase = HEAD
        self.due = self.loop.time() + self.limits.head_seconds
        self.head = self.hosts = 0

    def on_url(self, url: bytes) -> None:
        """A part of the target."""
        self.url += url
        if len(self.url) > self.limits.url_bytes:
            self._fail(414, f"the target is over {self.limits.url_bytes} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field, or a trailer: those are bounded and ignored."""
        self.head += len(name) + len(value) + 4
        if self.head > self.limits.head_bytes:
            self._fail(431, f"the fields are over {self.limits.head_bytes} bytes")
        if self.phase != HEAD:
            return
        name = name.lower()
        value = value.strip(b" \t")  # RFC 9110, 5.5; the parser strips the front alone
        if name == b"host":
            self.hosts += 1
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))
        if len(self.headers) > self.limits.head_fields:
            self._fail(431, f"more than {self.limits.head_fields} fields")

    def on_headers_complete(self) -> None:
        """The end of the head."""
        self.upgrade = self.parser.should_upgrade()
        if self.upgrade:
            return
        if self.hosts != 1 and (self.hosts or self.parser.get_http_version() == "1.1"):
            self._fail(400, "exactly one Host is needed")
        self.phase = BODY
        self.wire = 0
        self.due = self.loop.time() + self.limits.body_seconds
        super().on_headers_complete()
        if self.guard.draining:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """The end of the request."""
        if self.upgrade:
            return
        super().on_message_complete()
        self.wire = 0
        if self.cycle.response_complete:
            self.phase = IDLE
            self.due = self.loop.time() + self.limits.idle_seconds
        else:
            self.phase = ANSWER
            self.due = self.loop.time() + self.limits.answer_seconds

    def _fail(self, status: int, detail: str) -> None:
        """Stops the parser: it hands every error of a callback on as its own."""
        self.refused = (status, detail)
        raise ValueError(detail)

    # answer

    def on_response_complete(self) -> None:
        """The answer was handed to the transport. Replaces uvicorn's keep-alive timer: that is one a request."""
        self.server_state.total_requests += 1
        if self.phase == ANSWER:
            self.phase = ANSWER if self.pipeline else IDLE
            self.due = self.loop.time() + (self.limits.answer_seconds if self.pipeline else self.limits.idle_seconds)
        if self.transport.is_closing():
            self.due = self.loop.time() + self.limits.answer_seconds  # until it is sent
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)

    def shutdown(self) -> None:
        """The listener ends: at once where nothing is under way, else after the answer."""
        if self.phase == IDLE and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()
        elif self.cycle is not None:
            self.cycle.keep_alive = False

    def expire(self) -> None:
        """The deadline passed."""
        if self.phase in (HEAD, BODY) and not self.discarding:
            self._refuse(408, "the request did not arrive in time")
        elif self.phase == IDLE and not self.discarding and not self.transport.is_closing():
            self.due = self.loop.time() + self.limits.linger_seconds
            self.transport.close()
        else:
            self.transport.abort()

    def _refuse(self, status: int, detail: str) -> None:
        """Answers, unless another answer is under way, and ends the connection."""
        self.discarding = True
        self.due = self.loop.time() + self.limits.linger_seconds
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if cycle.response_started or self.phase != BODY or self.pipeline:
                cycle.keep_alive = False  # an earlier request is being answered: that goes first, and then it ends
                self.due = self.loop.time() + self.limits.answer_seconds
                return
            cycle.disconnected = True
            cycle.message_event.set()
        if self.transport.is_closing():
            return
        if not (self.phase == BODY and cycle is not None and cycle.response_complete):
            self.transport.write(_answer(status, detail))
        self.transport.write_eof()


def _answer(status: int, detail: str) -> bytes:
    line = STATUS_LINE[status]
    body = problem(status, "protocol", line[13:-2].decode(), detail)
    fields = b"".join(b"%s: %s\r\n" % field for field in problem_headers(body))
    return line + fields + b"connection: close\r\n\r\n" + body
