"""Both clients behind one interface, and a server for them without a network."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from linplane import AsyncClient, Batch, Client, Prediction, Predictions

URL = "http://server"
Handler = Callable[[httpx.Request], httpx.Response]


class Blocking:
    """A Client that records its pauses instead of waiting."""

    def __init__(self, handler: Handler, url: str = URL, route: str | None = "homes", **options: Any) -> None:
        self.waits: list[float] = []
        self.client = Client(
            url, route, transport=httpx.MockTransport(handler), **{"sleep": self.waits.append, **options}
        )

    def predict(self, row: Any, **options: Any) -> Prediction:
        """Of one row."""
        return self.client.predict(row, **options)

    def predict_rows(self, rows: Any, **options: Any) -> Predictions:
        """Of several rows."""
        return self.client.predict_rows(rows, **options)

    def predict_batches(self, rows: Any, **options: Any) -> Iterator[Batch]:
        """Of several rows, one request at a time."""
        return self.client.predict_batches(rows, **options)

    def close(self) -> None:
        """Closes the client."""
        self.client.close()


class Asynchronous:
    """An AsyncClient that records its pauses instead of waiting, on an event loop of its own."""

    def __init__(self, handler: Handler, url: str = URL, route: str | None = "homes", **options: Any) -> None:
        self.waits: list[float] = []
        pause = options.pop("sleep", self.waits.append)

        async def sleep(seconds: float) -> None:
            pause(seconds)

        self.client = AsyncClient(url, route, transport=httpx.MockTransport(handler), sleep=sleep, **options)

    def predict(self, row: Any, **options: Any) -> Prediction:
        """Of one row."""
        return asyncio.run(self.client.predict(row, **options))

    def predict_rows(self, rows: Any, **options: Any) -> Predictions:
        """Of several rows."""
        return asyncio.run(self.client.predict_rows(rows, **options))

    def predict_batches(self, rows: Any, **options: Any) -> Iterator[Batch]:
        """Of several rows, one request at a time."""
        found = self.client.predict_batches(rows, **options)
        with asyncio.Runner() as runner:
            while (batch := runner.run(anext(found, None))) is not None:
                yield batch

    def close(self) -> None:
        """Closes the client."""
        asyncio.run(self.client.aclose())


BOTH = [Blocking, Asynchronous]
Either = type[Blocking] | type[Asynchronous]


class Adding:
    """A server that predicts the sum of a row's numbers. It refuses bodies over `limit` bytes and records all."""

    def __init__(self, limit: int = 1 << 30) -> None:
        self.limit = limit
        self.bodies: list[bytes] = []
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """The response to one request."""
        self.requests.append(request)
        if len(request.content) > self.limit:
            return refusal(413, "too-large")
        self.bodies.append(request.content)
        return answer([sum(row.values() if isinstance(row, dict) else row) for row in self.rows(-1)])

    def rows(self, number: int) -> list[Any]:
        """The rows of an accepted body."""
        rows: list[Any] = json.loads(self.bodies[number])["rows"]
        return rows

    @property
    def all_rows(self) -> list[Any]:
        """Those of all bodies, in order."""
        return [row for number in range(len(self.bodies)) for row in self.rows(number)]


class Script:
    """A server that gives the answers in turn, and the last one again and again; an exception is raised."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = answers
        self.requests = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """The next one."""
        found = self.answers[min(self.requests, len(self.answers) - 1)]
        self.requests += 1
        if isinstance(found, Exception):
            raise found
        return httpx.Response(found.status_code, headers=found.headers, content=found.content)


def answer(values: list[float], version: str = "v1") -> httpx.Response:
    """A response to rows."""
    body = {"predictions": values, "version": version, "route": "homes", "assignedBy": "current"}
    return httpx.Response(200, json=body, headers={"x-linplane-digest": "sha256:d", "x-linplane-revision": "sha256:r"})


def refusal(status: int, kind: str, retry_after: str | None = None, **members: Any) -> httpx.Response:
    """A problem (RFC 9457)."""
    body = {"type": f"urn:linplane:problem:{kind}", "title": "", "status": status, "detail": f"no: {kind}", **members}
    headers = {"content-type": "application/problem+json", **({"retry-after": retry_after} if retry_after else {})}
    return httpx.Response(status, content=json.dumps(body), headers=headers)
