"""An API server that a test controls: real sockets, plain HTTP, one namespace."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from linplane_api.api_access import ApiAccess
from linplane_api.routing import RoutingMap

NAMESPACE = "homes"
ROUTING = f"/api/v1/namespaces/{NAMESPACE}/configmaps/linplane-routing-default"
REPORTS = f"/apis/linplane.dev/v1alpha1/namespaces/{NAMESPACE}/replicareports"
ROUTES = f"/apis/linplane.dev/v1alpha1/namespaces/{NAMESPACE}/modelroutes"
MODELS = f"/apis/linplane.dev/v1alpha1/namespaces/{NAMESPACE}/linearmodels"


@dataclass(frozen=True)
class Received:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def is_watch(self) -> bool:
        return self.query.get("watch") == "true"


@dataclass
class Reply:
    """One response. `raw` is sent instead of HTTP; `wait` is in seconds; `silent`: never."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    wait: float = 0.0
    raw: bytes | None = None
    silent: bool = False


def failure(status: int, reason: str = "Why", message: str = "because", **headers: str) -> Reply:
    """A failure, in the form of the API server."""
    body = {"kind": "Status", "code": status, "reason": reason, "message": message}
    return Reply(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def event(kind: str, found: dict[str, Any]) -> bytes:
    """One event of a watch."""
    return json.dumps({"type": kind, "object": found}).encode() + b"\n"


class Watch:
    """An open watch, with its request."""

    def __init__(self, request: Received, writer: asyncio.StreamWriter) -> None:
        self.request = request
        self.writer = writer

    def send(self, kind: str, found: dict[str, Any]) -> None:
        self.send_raw(event(kind, found))

    def send_raw(self, data: bytes) -> None:
        self.writer.write(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self) -> None:
        """Ends the response in order."""
        self.writer.write(b"0\r\n\r\n")

    def cut(self) -> None:
        self.writer.transport.abort()


class FakeApi:
    """A server over `objects`. Responses in `answers`, by `METHOD path` or `watch`, take precedence."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.watches: list[Watch] = []
        self.objects: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, list[Reply]] = {}
        self.tokens: set[str] | None = None
        self.override: Callable[[Received], Reply | None] = lambda request: None
        self.version = 100
        self.token_file: Path | None = None
        self._server: asyncio.Server | None = None
        self._port = 0
        self._handlers: set[asyncio.Task[Any]] = set()

    @property
    def access(self) -> ApiAccess:
        return ApiAccess("127.0.0.1", self._port, NAMESPACE, tls=False, token_file=self.token_file)

    def count(self, what: str) -> int:
        """The number of requests of `METHOD path` or `watch`."""
        return sum(what == _key(request) for request in self.received)

    def put(self, path: str, **parts: Any) -> dict[str, Any]:
        """Stores an object under the next resourceVersion, and returns it."""
        self.version += 1
        old = self.objects.get(path, {})
        meta = {"name": path.rsplit("/", 1)[1], "uid": "uid-1", "generation": 1, **old.get("metadata", {})}
        meta |= {"resourceVersion": str(self.version), **parts.pop("metadata", {})}
        self.objects[path] = {**old, **parts, "metadata": meta}
        return self.objects[path]

    def put_routing(self, routing: RoutingMap) -> dict[str, Any]:
        return self.put(ROUTING, metadata={"uid": routing.uid}, data=routing.to_data())

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Closes every connection."""
        assert self._server
        for sock in self._server.sockets:
            asyncio.get_running_loop().remove_reader(sock.fileno())
        for _ in range(20):  # one that was just accepted has its handler by then: of a closed server it would have none
            await asyncio.sleep(0)
        self._server.close()
        for handler in self._handlers:
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)
        self._handlers.clear()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._handlers.add(task)
        try:
            while True:
                request = await _read(reader)
                self.received.append(request)
                reply = self._reply(request)
                if reply is None:
                    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                    self.watches.append(Watch(request, writer))
                    continue
                await self._answer(reply, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()
            await asyncio.sleep(0)

    async def _answer(self, reply: Reply, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(reply.wait)
        if reply.silent:
            await asyncio.sleep(60)
        body = json.dumps(reply.body).encode()
        head = [f"HTTP/1.1 {reply.status} X", f"Content-Length: {len(body)}"]
        head += [f"{name}: {value}" for name, value in reply.headers.items()]
        writer.write(("\r\n".join(head) + "\r\n\r\n").encode() + body if reply.raw is None else reply.raw)
        if reply.raw is not None:
            writer.close()

    def _reply(self, request: Received) -> Reply | None:
        """The response; None if a watch was opened."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.tokens is not None and token not in self.tokens:
            return failure(401, "Unauthorized", "Unauthorized")
        planned = self.answers.get(_key(request))
        if planned:
            return planned.pop(0)
        override = self.override(request)
        if override is not None:
            return override
        if request.is_watch:
            return None
        return self._patched(request) if request.method == "PATCH" else self._found(request.path)

    def _found(self, path: str) -> Reply:
        found = self.objects.get(path)
        return Reply(200, found) if found else failure(404, "NotFound", f"{path} not found")

    def _patched(self, request: Received) -> Reply:
        body = json.loads(request.body)
        if request.headers["content-type"] == "application/apply-patch+yaml":
            return Reply(200, self.put(request.path, **body))
        found = self.objects.get(request.path)
        if found is None:
            return self._found(request.path)
        version = body.get("metadata", {}).pop("resourceVersion", None)
        if version not in (None, found["metadata"]["resourceVersion"]):
            return failure(409, "Conflict", "the object has been modified")
        spec = {**found.get("spec", {}), **body.get("spec", {})}
        generation = found["metadata"]["generation"] + (spec != found.get("spec"))
        reply = self.put(request.path, spec=spec, metadata={"generation": generation})
        return Reply(200, reply, {"Audit-Id": f"audit-{self.version}"})


def _key(request: Received) -> str:
    return "watch" if request.is_watch else f"{request.method} {request.path}"


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    return Received(method, parts.path, {k: v[0] for k, v in parse_qs(parts.query).items()}, headers, body)


@asynccontextmanager
async def fake_api() -> AsyncIterator[FakeApi]:
    """A server that runs."""
    api = FakeApi()
    await api.start()
    try:
        yield api
    finally:
        await api.stop()
