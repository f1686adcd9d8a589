"""A server in this process for the client's tests."""

import asyncio

import httpx

from linplane_api.routing import RouteDocument
from linplane_server.errors import TooLarge
from unit.server.builders import Client as ServerClient
from unit.server.builders import Clock, serving


class Server:
    """A server that has loaded one document. Bodies over `limit` bytes are refused; its time is the client's pauses."""

    def __init__(self, doc: RouteDocument, limit: int = 1 << 16) -> None:
        self.clock = Clock()
        self._limit = limit
        self._server = ServerClient(asyncio.run(serving(doc, clock=self.clock)), single_route=False)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """The response to one request."""
        _, _, route, last = request.url.path.split("/")
        assert last == "predict"
        data = request.content if len(request.content) <= self._limit else TooLarge("the body is too large")
        host, kind = request.headers["host"], request.headers["content-type"]
        status, headers, content = self._server.ask(data, route, method=request.method, host=host, content_type=kind)
        return httpx.Response(status, headers=headers, content=content)

    def sleep(self, seconds: float) -> None:
        """Lets time pass."""
        self.clock.now += round(seconds * 1_000_000_000)
