"""The fast path: a prediction is answered as soon as its last byte is parsed, without an ASGI task.

It saves only the call of the application: the same function makes the answer, and every byte on the wire is the same.
So it takes ordinary requests alone, and leaves to the application all that would need its ways to wait or to stop
early: other methods, HTTP/1.0, `Expect`, an encoded body, one of more than FAST_BYTES or over the limit, a request
before or behind another one in the pipeline, and a client that does not read its answers. A request that was taken can
be handed over until it is answered.
"""

import asyncio
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any
from urllib.parse import unquote

import httptools
import msgspec
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from ..predict.interface import Answer, Call, Target, by_name
from ..predict.parts import WHOLE_BYTES
from ..problems import Headers
from ..state.budget import Share
from .protocol import ANSWER, BODY, IDLE, Guard, GuardedProtocol
from .targets import below, find_target

FAST_BYTES = WHOLE_BYTES
"""The largest body that is collected here."""

CACHED_TARGETS = 1024
CACHED_LENGTH = 256
"""How many request targets are remembered with what they address, and the length in bytes up to which they are."""

CACHED_HEADS = 512
CACHED_HEAD = 1024
"""How many heads are remembered with what they mean, and the length in bytes up to which they are. Most clients send
the same few again and again, which differ in Content-Length alone.
"""

END = b"\r\n\r\n"
BRACE = b"{"
"""The end of a head, and the beginning of a body in JSON, which is found faster."""

_OF_ONE_REQUEST = frozenset({b"x-request-id", b"traceparent"})
"""Fields of a head that does not come again."""

_LENGTH_DIGITS = len(str(FAST_BYTES))


class Head(msgspec.Struct, frozen=True, gc=False):
    """A head that was read: what it addresses, its fields as in a `Call`, and the length of its body in bytes."""

    target: Target
    fields: Headers
    headers: dict[bytes, bytes]
    length: int
    keep_alive: bool


class FastPath:
    """What the connections of one listener share. `respond` answers a prediction, and `count_incomplete` counts one
    whose body did not come to its end; bodies over `max_body` bytes are left to the application.
    """

    def __init__(
        self,
        respond: Callable[[Target, Call], Answer],
        count_incomplete: Callable[[Target, Call], None],
        max_body: int,
        root_path: str = "",
    ) -> None:
        """Has no connection yet. `root_path` is the prefix that paths may have."""
        self.respond = respond
        self.count_incomplete = count_incomplete
        self.max_body = min(max_body, FAST_BYTES)
        self.heads: dict[bytes, Head] = {}
        self._address = partial(addressed, root_path=root_path)
        self._cached_address = lru_cache(CACHED_TARGETS)(self._address)
        self._default_headers: Headers = []
        self._openings: dict[int, bytes] = {}

    def protocol(self, guard: Guard) -> Callable[..., asyncio.Protocol]:
        """Returns the factory of connections, for uvicorn."""
        return partial(FastProtocol, guard=guard, fast=self)

    def find(self, url: bytes, headers: dict[bytes, bytes]) -> Target | None:
        """Returns the target of a request whose body may be collected, by its target in the request line and its
        fields; None if it is left to the application.
        """
        length = headers.get(b"content-length", b"0")
        if len(length) > _LENGTH_DIGITS or int(length) > self.max_body or b"content-encoding" in headers:
            return None
        return self._cached_address(url) if len(url) <= CACHED_LENGTH else self._address(url)

    def remember(self, data: bytes, head: Head) -> None:
        """Remembers a head, if `data` is nothing but this head and a body of its length, which begins with a brace."""
        cut = data.find(BRACE)
        if len(END) < cut <= CACHED_HEAD and data.find(END) == cut - len(END) and len(data) == cut + head.length:
            if len(self.heads) == CACHED_HEADS:
                self.heads.clear()
            self.heads[data[:cut]] = head

    def render(self, answer: Answer, default_headers: Headers, *, keep_alive: bool) -> bytes:
        """Returns the response on the wire, as uvicorn writes it. It replaces its list of `default_headers` once a
        second, so what is made of them is kept as long as the list is the same.
        """
        status, headers, content = answer
        if default_headers is not self._default_headers:
            self._default_headers, self._openings = default_headers, {}
        opening = self._openings.get(status)
        if opening is None:
            opening = b"\r\n".join([STATUS_LINE[status][:-2], *map(b": ".join, default_headers)])
            self._openings[status] = opening
        if keep_alive:
            return b"\r\n".join([opening, *map(b": ".join, headers), b"", content])
        return b"\r\n".join([opening, *map(b": ".join, headers), b"connection: close", b"", content])


def addressed(url: bytes, root_path: str = "") -> Target | None:
    """Returns the target that the target of a request line addresses, by the same rules as uvicorn. None if that is
    not a prediction's, or if it is invalid. The path may have the prefix `root_path`.
    """
    try:
        path = httptools.parse_url(url).path.decode("ascii")
    except (httptools.HttpParserInvalidURLError, UnicodeDecodeError, AttributeError):
        return None
    return find_target(below(root_path, unquote(path) if "%" in path else path))


class FastProtocol(GuardedProtocol):
    """One connection of a listener with a fast path. `target` is that of the request that it has taken, None if the
    application answers; `whole` says that nothing but the answer is missing.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        guard: Guard,
        fast: FastPath,
    ) -> None:
        """Takes uvicorn's arguments, the listener's guard and its fast path."""
        super().__init__(config, server_state, app_state, _loop, guard=guard)
        self.fast = fast
        self.target: Target | None = None
        self.fields: dict[bytes, bytes] = {}
        self.body: bytes | bytearray = b""
        self.collected = Share(guard.budget)
        self.whole = False
        self.keep_alive = True

    def data_received(self, data: bytes) -> None:
        """Feeds the parser, and answers. Not before the end of the data: what follows may close the connection.

        If the data is a whole request whose head is known, the parser, which waits for a request, needs not see it.
        """
        idle = self.phase == IDLE and not self.discarding
        if idle:
            cut = data.find(BRACE)
            head = self.fast.heads.get(data[:cut]) if cut > 0 else None
            if head is not None and len(data) == cut + head.length and not self.flow.write_paused:
                self.wire = 0
                self._answer(head, data[cut:])
                return
        super().data_received(data)
        if self.whole and self.target is not None:
            if self.flow.write_paused:
                self._hand_over()  # the application waits until the client has read earlier answers
                return
            self.whole = False
            head = Head(self.target, self.headers, self.fields, len(self.body), self.keep_alive)
            if idle and b"content-length" in self.fields and _OF_ONE_REQUEST.isdisjoint(self.fields):
                self.fast.remember(data, head)
            self.collected.release()
            self._answer(head, bytes(self.body))
        elif self.phase == BODY and self.target is not None and not self.discarding and not self._hold():
            self._hand_over()  # the application refuses it

    def _hold(self) -> bool:
        return self.collected.hold(len(self.body))

    def on_message_begin(self) -> None:
        """Hands over a request that another one follows at once."""
        if self.whole:
            self._hand_over()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Decides who answers."""
        self.target = self._take()
        if self.target is None:
            super().on_headers_complete()
            return
        self.upgrade = False
        self.body = b""
        self.cycle = None  # type: ignore[assignment]  # as uvicorn does before the first request
        self._begin_body()

    def _take(self) -> Target | None:
        parser, cycle = self.parser, self.cycle
        if (
            self.hosts != 1
            or self.expect_100_continue
            or not (cycle is None or cycle.response_complete)
            or parser.get_method() != b"POST"
            or parser.get_http_version() != "1.1"
            or parser.should_upgrade()
        ):
            return None
        self.fields = by_name(self.headers)
        return self.fast.find(self.url, self.fields)

    def on_body(self, body: bytes) -> None:
        """Collects the body, as far as it is small."""
        if self.target is None:
            super().on_body(body)
            return
        self._count(body)
        if not self.body:
            self.body = body
        elif isinstance(self.body, bytearray):
            self.body += body
        else:
            self.body = bytearray(self.body + body)
        if len(self.body) > self.fast.max_body:
            self._hand_over()

    def on_message_complete(self) -> None:
        """Starts the deadline of the response."""
        if self.target is None:
            super().on_message_complete()
            return
        self.whole = True
        self.keep_alive = self.parser.should_keep_alive()
        self.wire = 0
        self.phase = ANSWER
        self.due = self.loop.time() + self.limits.answer_seconds

    def _answer(self, head: Head, body: bytes) -> None:
        peer = self.client[0] if self.client else ""
        call = Call("POST", head.fields, head.headers, peer, body)
        answer = self.fast.respond(head.target, call)
        keep_alive = head.keep_alive and not self.guard.draining
        self.transport.write(self.fast.render(answer, self.server_state.default_headers, keep_alive=keep_alive))
        self.server_state.total_requests += 1
        self.phase = IDLE
        sent = self.loop.time() + self._sending_seconds()
        if keep_alive:
            self.due = sent + self.limits.idle_seconds
        else:
            self.transport.close()
            self.due = sent + self.limits.answer_seconds

    def _hand_over(self) -> None:
        """Gives the request that was taken to the application, with what has arrived of its body."""
        whole, self.whole, self.target = self.whole, False, None
        self.collected.release()
        HttpToolsProtocol.on_headers_complete(self)
        if whole:
            self.cycle.keep_alive = self.keep_alive
        if self.guard.draining:
            self.cycle.keep_alive = False
        HttpToolsProtocol.on_body(self, bytes(self.body))
        if whole:
            HttpToolsProtocol.on_message_complete(self)

    def _refuse(self, status: int, detail: str) -> None:
        """Leaves to the base class what becomes of a whole request."""
        if self.whole:
            self._hand_over()
        self._give_up()
        super()._refuse(status, detail)

    def connection_lost(self, exc: Exception | None) -> None:
        """Holds the body no longer."""
        self._give_up()
        super().connection_lost(exc)

    def _give_up(self) -> None:
        """Counts the request that was taken, if its body is not whole."""
        self.collected.release()
        if self.target is not None and self.phase == BODY:
            peer = self.client[0] if self.client else ""
            self.fast.count_incomplete(self.target, Call("POST", self.headers, self.fields, peer, b""))
            self.target = None
