"""HTTP/1.1 on the wire: uvicorn's httptools protocol with additional limits.

The size of a request's head and target, the number of its fields, its duration and the framing overhead of its body are
bounded. A refusal at this level has the form of others too, problem+json or that of ERROR_TARGETS, and closes the
connection; further input is read and discarded for a moment, so that the client can read the response.

`GuardedProtocol` overrides internals of uvicorn, which an upgrade may change: `tests/unit/server/test_protocol.py`
compares the names and the source that it relies on, and fails first.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from ..interfaces.json_answers import json_answer
from ..problems import problem, problem_headers
from ..settings import MIB, Limits
from ..state.budget import Budget, Share

FRAMING = 8
"""Maximum ratio of a chunked body's bytes on the wire to its content (chunks of one byte need six), with the size of a
head on top.
"""

DISCARDED = 2
"""How many times the limit on a body is read and discarded after its request was answered, so that the connection can
be used again. A client that sends more loses it.
"""

SECONDS_PER_BYTE = 1 / MIB
"""By how much each byte of a body moves its deadline."""

ERROR_TARGETS = (b"/v1/", b"/v2/")
"""The start of request targets whose clients read `{"error": "..."}` from every answer, and no problem."""

_UPGRADE = frozenset({b"upgrade", b"http2-settings", b"connection"})

IDLE, HEAD, BODY, ANSWER = range(4)


class Guard:
    """State shared by the connections of one listener: limits, what is held of bodies, connections per peer, draining,
    and deadlines.

    One periodic sweep over all connections is cheaper than a timer for each: the hot path only assigns a number.
    """

    def __init__(self, limits: Limits, root_path: str = "") -> None:
        """The listener is not draining yet. `root_path` is the prefix that targets may have."""
        self.limits = limits
        self.error_targets = tuple(root + target for root in {b"", root_path.encode()} for target in ERROR_TARGETS)
        self.budget = Budget(limits.in_flight_bytes)
        self.draining = False
        self.peers: Counter[str] = Counter()
        self.open: set[GuardedProtocol] = set()

    def protocol(self) -> Callable[..., asyncio.Protocol]:
        """Returns the factory of connections, for uvicorn."""
        return partial(GuardedProtocol, guard=self)

    def drain(self) -> None:
        """Makes every response close its connection, those of pending requests included."""
        self.draining = True
        for connection in self.open:
            if connection.cycle is not None:
                connection.cycle.keep_alive = False

    async def sweep(self) -> None:
        """Closes connections past their deadline, late by a tenth of the shortest limit at most. Never returns."""
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
    """One connection. `due` is its deadline in the loop's time; progress moves it on."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        guard: Guard,
    ) -> None:
        """Takes uvicorn's arguments, and the listener's guard."""
        super().__init__(config, server_state, app_state, _loop)
        self.guard = guard
        self.limits = guard.limits
        self.phase = IDLE
        self.due = self.loop.time() + self.limits.first_byte_seconds
        self.wire = 0  # bytes received of the current head or body
        self.content = 0  # bytes of the current body, without its framing
        self.content_limit: float = math.inf  # once the application doesn't read it any more
        self.unread = Share(guard.budget)  # answers that wait until the client reads
        self.head = 0  # bytes of the fields read so far, trailers included
        self.hosts = 0
        self.upgrade = False
        self.discarding = False
        self.refused: tuple[int, str] | None = None

    # connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Counts the connection, and refuses it if its peer has too many."""
        super().connection_made(transport)
        self.guard.open.add(self)
        peer = self.client[0] if self.client else ""
        self.guard.peers[peer] += 1
        if 0 < self.limits.connections_per_peer < self.guard.peers[peer]:
            self._refuse(429, "this address has too many connections open")

    def connection_lost(self, exc: Exception | None) -> None:
        """Removes the connection from the counts."""
        self.guard.open.discard(self)
        peer = self.client[0] if self.client else ""
        self.guard.peers[peer] -= 1
        if self.guard.peers[peer] <= 0:
            del self.guard.peers[peer]
        self.unread.release()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Returns whether the connection stays open, until the requests that came whole are answered: a client may
        close its half after its last one (RFC 9112, 9.6). One that is not whole isn't answered any more.
        """
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return False
        if self.phase == BODY:
            if not self.pipeline:
                return False
            cycle.disconnected = True  # it waits behind others, and closes the connection in its turn
            cycle.message_event.set()
        cycle.keep_alive = False
        return True

    def data_received(self, data: bytes) -> None:
        """Feeds the parser, and checks the number of bytes on the wire."""
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
        """Ignores a request to upgrade, as RFC 9110, 7.8 allows. The parser stops at the end of such a head, so the
        head is parsed again without those fields. Java's HTTP client, for example, offers h2c with its first request.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._refuse(400, "this is not a proxy")
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
        elif self.phase == BODY and (
            self.wire > FRAMING * self.content + limits.head_bytes or self.content > self.content_limit
        ):
            self._refuse(413, "the body is too large")

    # parser

    def on_message_begin(self) -> None:
        """Starts the deadline of the head."""
        super().on_message_begin()
        self.phase = HEAD
        self.due = self.loop.time() + self.limits.head_seconds
        self.head = self.hosts = 0

    def on_url(self, url: bytes) -> None:
        """Adds a part of the target."""
        self.url += url
        if len(self.url) > self.limits.url_bytes:
            self._fail(414, f"the target is over {self.limits.url_bytes} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Adds a field; a trailer is counted and ignored."""
        limits = self.limits
        self.head = head = self.head + len(name) + len(value) + 4
        if head > limits.head_bytes:
            self._fail(431, f"the fields are over {limits.head_bytes} bytes")
        if self.phase != HEAD:
            return
        name = name.lower()
        value = value.strip(b" \t")  # RFC 9110, 5.5; the parser strips the front alone
        if name == b"host":
            self.hosts += 1
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        headers = self.headers
        headers.append((name, value))
        if len(headers) > limits.head_fields:
            self._fail(431, f"more than {limits.head_fields} fields")

    def on_headers_complete(self) -> None:
        """Checks Host, and starts the deadline of the body."""
        self.upgrade = self.parser.should_upgrade()
        if self.upgrade:
            return
        if self.hosts != 1 and (self.hosts or self.parser.get_http_version() == "1.1"):
            self._fail(400, "exactly one Host is needed")
        super().on_headers_complete()  # refuses an invalid target: that belongs to the head
        self._begin_body()
        if self.guard.draining:
            self.cycle.keep_alive = False

    def _begin_body(self) -> None:
        self.phase = BODY
        self.wire = self.content = 0
        self.content_limit = math.inf
        self.due = self.loop.time() + self.limits.body_seconds

    def on_body(self, body: bytes) -> None:
        """Takes a part of the body, which may arrive later the longer it is."""
        self._count(body)
        super().on_body(body)

    def _count(self, body: bytes) -> None:
        self.content += len(body)
        self.due += len(body) * SECONDS_PER_BYTE

    def on_message_complete(self) -> None:
        """Starts the deadline of the response, or of the next request if it is already complete."""
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
        """Stops the parser, which turns any exception of a callback into its own error."""
        self.refused = (status, detail)
        raise ValueError(detail)

    # response

    def on_response_complete(self) -> None:
        """Starts the deadline of the next request. Replaces uvicorn's method, which starts a timer per request."""
        self.server_state.total_requests += 1
        if self.phase == BODY and self.cycle.response_complete:  # so the rest of the body is discarded
            self.content_limit = self.content + DISCARDED * self.limits.body_bytes
        limits, sent = self.limits, self.loop.time() + self._sending_seconds()
        if self.phase == ANSWER:
            self.phase = ANSWER if self.pipeline else IDLE
            self.due = sent + (limits.answer_seconds if self.pipeline else limits.idle_seconds)
        if self.transport.is_closing():
            self.due = sent + limits.answer_seconds
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
            if cycle.disconnected:
                self.transport.close()

    def _sending_seconds(self) -> float:
        """Returns how much longer a response may take, by what has not been sent of it."""
        return self.transport.get_write_buffer_size() * SECONDS_PER_BYTE

    def pause_writing(self) -> None:
        """Counts a response that the client doesn't read as fast as it is written."""
        super().pause_writing()
        self.unread.keep(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Counts it no longer. If more of it is to come, that may be later by what the client has read."""
        if self.phase == ANSWER:
            self.due += self.unread.held * SECONDS_PER_BYTE
        self.unread.release()
        super().resume_writing()

    def shutdown(self) -> None:
        """Closes the connection: at once if it is idle, else after the response."""
        if self.phase == IDLE and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()
        elif self.cycle is not None:
            self.cycle.keep_alive = False

    def expire(self) -> None:
        """Acts on a missed deadline: 408 for an incomplete request, else closes the connection."""
        if self.phase in (HEAD, BODY) and not self.discarding:
            self._refuse(408, "the request did not arrive in time")
        elif self.phase == IDLE and not self.discarding and not self.transport.is_closing():
            self.due = self.loop.time() + self.limits.linger_seconds
            self.transport.close()
        else:
            self.transport.abort()

    def _refuse(self, status: int, detail: str) -> None:
        """Sends a refusal, unless another response is pending, and closes the connection."""
        self.discarding = True
        self.due = self.loop.time() + self.limits.linger_seconds
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if cycle.response_started or self.phase != BODY or self.pipeline:
                cycle.keep_alive = False  # an earlier response is pending: it is completed first
                self.due = self.loop.time() + self.limits.answer_seconds
                return
            cycle.disconnected = True
            cycle.message_event.set()
        if self.transport.is_closing():
            return
        if not (self.phase == BODY and cycle is not None and cycle.response_complete):
            target = self.url if self.phase in (HEAD, BODY) else b""  # else that of an earlier request
            self.transport.write(_answer(status, detail, plain=target.startswith(self.guard.error_targets)))
        self.transport.write_eof()


def _answer(status: int, detail: str, *, plain: bool) -> bytes:
    line = STATUS_LINE[status]
    if plain:
        _, headers, body = json_answer({"error": detail})
    else:
        body = problem(status, "protocol", line[13:-2].decode(), detail)
        headers = problem_headers(body)
    fields = b"".join(b"%s: %s\r\n" % field for field in headers)
    return line + fields + b"connection: close\r\n\r\n" + body
