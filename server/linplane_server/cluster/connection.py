"""HTTP/1.1 to the API server over asyncio's streams: small, because a server is to stay small.

No redirects, no proxies, no compression, one request at a time. Every wait has a limit.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httptools

from linplane_api.api_access import ApiAccess, ApiError, answered, unreachable

CONNECT_SECONDS = 5.0
MAX_BODY = 16 << 20
"""Bytes of an answer: a ConfigMap has at most 1 MiB, and twice that or more as JSON."""

_CHUNK = 1 << 16


@dataclass
class Answer:
    """A whole answer, or what came of it. The parser calls `on_...`."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    begun: bool = False
    complete: bool = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field."""
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """The end of the head."""
        self.begun = True

    def on_body(self, data: bytes) -> None:
        """A piece."""
        self.body += data

    def on_message_complete(self) -> None:
        """The end."""
        self.complete = True


@dataclass(frozen=True)
class Request:
    """What is asked. `authorization` is the whole value of that header; it is not shown."""

    method: str
    target: str
    authorization: str = field(default="", repr=False)
    body: bytes = b""
    content_type: str = ""

    def to_bytes(self, authority: str) -> bytes:
        """As it is sent."""
        lines = [f"{self.method} {self.target} HTTP/1.1", f"Host: {authority}", "Accept: application/json"]
        lines.append("User-Agent: linplane-server")
        if self.authorization:
            lines.append(f"Authorization: {self.authorization}")
        if self.body:
            lines += [f"Content-Type: {self.content_type}", f"Content-Length: {len(self.body)}"]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


class Connection:
    """One connection; see the module. Every method but `close` raises ApiError, after which it is of no more use."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, authority: str) -> None:
        """See `connect`."""
        self._reader = reader
        self._writer = writer
        self._authority = authority

    async def send(self, request: Request, seconds: float) -> Answer:
        """The whole answer within the time, if it is 2xx; raises ApiError for every other."""
        answer = Answer()
        async with _limit(seconds):
            parser = await self._start(request, answer)
            while not answer.complete:
                await self._feed(parser, answer)
        if not parser.should_keep_alive():
            self.close()
        return _good(answer)

    async def stream(self, request: Request, seconds: float, silence: float) -> AsyncIterator[bytes]:
        """The pieces of a 2xx answer as they come, at least one within `silence`; the head, and an answer that is not
        2xx, within `seconds`. The first piece comes with the head, and may be empty. Ends where the answer does.
        """
        answer = Answer()
        async with _limit(seconds):
            parser = await self._start(request, answer)
            while not answer.complete and answer.status // 100 != 2:
                await self._feed(parser, answer)
        _good(answer)
        while True:
            yield bytes(answer.body)
            answer.body.clear()
            if answer.complete:
                return
            async with _limit(silence):
                await self._feed(parser, answer)

    @property
    def usable(self) -> bool:
        """False once it was closed, by either side."""
        return not (self._writer.is_closing() or self._reader.at_eof())

    def close(self) -> None:
        """At once: what is under way is given up."""
        self._writer.transport.abort()

    async def _start(self, request: Request, answer: Answer) -> httptools.HttpResponseParser:
        self._writer.write(request.to_bytes(self._authority))
        await self._writer.drain()
        return httptools.HttpResponseParser(answer)

    async def _feed(self, parser: httptools.HttpResponseParser, answer: Answer) -> None:
        data = await self._reader.read(_CHUNK)
        if not data:
            raise ApiError(0, "Unreachable", "the API server ended the connection")
        try:
            parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise ApiError(0, "Unreachable", "what answered does not speak HTTP") from error
        if answer.begun:
            answer.status = parser.get_status_code()
        if len(answer.body) > MAX_BODY:
            raise ApiError(0, "TooLarge", "the API server's answer is too large")


def _good(answer: Answer) -> Answer:
    if answer.status // 100 != 2:
        raise answered(answer.status, bytes(answer.body), answer.headers.get("retry-after", ""))
    return answer


@contextlib.asynccontextmanager
async def _limit(seconds: float) -> AsyncIterator[None]:
    """Makes of a time-out, and of what goes wrong with a socket, an ApiError."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except ApiError:
        raise
    except TimeoutError as error:
        raise ApiError(0, "Unreachable", f"the API server did not answer within {seconds:g} s") from error
    except OSError as error:
        raise unreachable(error) from error


class Session:
    """Requests one after another, on a connection that is kept as long as it lasts. One task's."""

    def __init__(self, access: ApiAccess) -> None:
        """Connects with the first request."""
        self._access = access
        self._connection: Connection | None = None

    async def send(self, request: Request, seconds: float) -> Answer:
        """See `Connection.ask`. Nothing is tried twice: a request that was sent may have been carried out."""
        if self._connection is None or not self._connection.usable:
            self._connection = await connect(self._access)
        try:
            return await self._connection.send(request, seconds)
        except BaseException as error:
            if not (isinstance(error, ApiError) and error.status):
                self.close()
            raise

    def close(self) -> None:
        """Ends the connection; another request makes another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


async def connect(access: ApiAccess) -> Connection:
    """A new connection. Raises ApiError."""
    context = access.tls_context()
    async with _limit(CONNECT_SECONDS):
        reader, writer = await asyncio.open_connection(access.host, access.port, ssl=context)
    return Connection(reader, writer, access.authority)
