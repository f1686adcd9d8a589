"""An HTTP/1.1 client for the API server, over asyncio's streams.

It has no redirects, proxies or compression, and one request at a time per connection. Every wait has a timeout. aiohttp
would add 8.7 MB of resident memory to each server pod, on 51 MB (measured).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httptools

from linplane_api.api_access import ApiAccess, ApiError, connection_error, response_error

CONNECT_SECONDS = 5.0
MAX_BODY = 16 << 20
"""Maximum bytes of a response: a ConfigMap has at most 1 MiB, which takes twice that or more as JSON."""

_CHUNK = 1 << 16


@dataclass
class Response:
    """A response, as far as it is received. httptools calls the methods `on_...`."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    has_head: bool = False
    complete: bool = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Adds a header field."""
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Marks the head as complete."""
        self.has_head = True

    def on_body(self, data: bytes) -> None:
        """Adds a chunk of the body."""
        self.body += data

    def on_message_complete(self) -> None:
        """Marks the response as complete."""
        self.complete = True


@dataclass(frozen=True)
class Request:
    """A request. `authorization` is the value of that header; it is left out of the repr."""

    method: str
    target: str
    authorization: str = field(default="", repr=False)
    body: bytes = b""
    content_type: str = ""

    def to_bytes(self, authority: str) -> bytes:
        """Encodes the request."""
        lines = [f"{self.method} {self.target} HTTP/1.1", f"Host: {authority}", "Accept: application/json"]
        lines.append("User-Agent: linplane-server")
        if self.authorization:
            lines.append(f"Authorization: {self.authorization}")
        if self.body:
            lines += [f"Content-Type: {self.content_type}", f"Content-Length: {len(self.body)}"]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


class Connection:
    """A connection. Every method but `close` may raise ApiError, after which the connection cannot be used any more."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, authority: str) -> None:
        """Called by `connect`."""
        self._reader = reader
        self._writer = writer
        self._authority = authority

    async def send(self, request: Request, seconds: float) -> Response:
        """Sends a request and returns its 2xx response, received within `seconds`. Any other raises ApiError."""
        response = Response()
        async with _limit(seconds):
            parser = await self._start(request, response)
            while not response.complete:
                await self._feed(parser, response)
        if not parser.should_keep_alive():
            self.close()
        return _check_status(response)

    async def stream(self, request: Request, seconds: float, silence: float) -> AsyncIterator[bytes]:
        """Sends a request and yields the body of its 2xx response in chunks, each received within `silence` seconds.
        The head, or a whole response that is not 2xx, must arrive within `seconds`. The first chunk is yielded with the
        head, and may be empty.
        """
        response = Response()
        async with _limit(seconds):
            parser = await self._start(request, response)
            while not response.complete and response.status // 100 != 2:
                await self._feed(parser, response)
        _check_status(response)
        while True:
            yield bytes(response.body)
            response.body.clear()
            if response.complete:
                return
            async with _limit(silence):
                await self._feed(parser, response)

    @property
    def usable(self) -> bool:
        """False once either side closed it."""
        return not (self._writer.is_closing() or self._reader.at_eof())

    def close(self) -> None:
        """Aborts the connection, with any pending request."""
        self._writer.transport.abort()

    async def _start(self, request: Request, response: Response) -> httptools.HttpResponseParser:
        self._writer.write(request.to_bytes(self._authority))
        await self._writer.drain()
        return httptools.HttpResponseParser(response)

    async def _feed(self, parser: httptools.HttpResponseParser, response: Response) -> None:
        data = await self._reader.read(_CHUNK)
        if not data:
            raise ApiError(0, "Unreachable", "the API server closed the connection")
        try:
            parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise ApiError(0, "Unreachable", "the API server's response is not HTTP") from error
        if response.has_head:
            response.status = parser.get_status_code()
        if len(response.body) > MAX_BODY:
            raise ApiError(0, "TooLarge", "the API server's response is too large")


def _check_status(response: Response) -> Response:
    if response.status // 100 != 2:
        raise response_error(response.status, bytes(response.body), response.headers.get("retry-after", ""))
    return response


@contextlib.asynccontextmanager
async def _limit(seconds: float) -> AsyncIterator[None]:
    """Converts a timeout, or an error of the socket, to an ApiError."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except ApiError:
        raise
    except TimeoutError as error:
        raise ApiError(0, "Unreachable", f"the API server did not answer within {seconds:g} s") from error
    except OSError as error:
        raise connection_error(error) from error


class Session:
    """Sends requests one after another over a connection that is reused as long as it lasts. For use by one task."""

    def __init__(self, access: ApiAccess) -> None:
        """Connects on the first request."""
        self._access = access
        self._connection: Connection | None = None

    async def send(self, request: Request, seconds: float) -> Response:
        """See `Connection.send`. It never retries, as the API server may have processed the request."""
        if self._connection is None or not self._connection.usable:
            self._connection = await connect(self._access)
        try:
            return await self._connection.send(request, seconds)
        except BaseException as error:
            if not (isinstance(error, ApiError) and error.status):
                self.close()
            raise

    def close(self) -> None:
        """Closes the connection; the next request opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


async def connect(access: ApiAccess) -> Connection:
    """Opens a connection. Raises ApiError."""
    context = access.tls_context()
    async with _limit(CONNECT_SECONDS):
        reader, writer = await asyncio.open_connection(access.host, access.port, ssl=context)
    return Connection(reader, writer, access.authority)
