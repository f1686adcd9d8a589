"""Switches under load: clients call the servers all the time, a watcher sees when a route has converged."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cluster.watching import Watching
from integration.operator.site import Site
from linplane_api.kinds import MODEL_ROUTE
from support import eventually

HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True)
class Answer:
    """One request: the server's number, the route, when it began, and the version that answered."""

    server: int
    route: str
    began: float
    version: str


@dataclass(frozen=True)
class Switch:
    """A route patched at one moment, answered at the next, and seen to have converged at another (seconds)."""

    route: str
    version: str
    patched: float
    answered: float
    converged: float

    @property
    def seconds(self) -> float:
        return self.converged - self.patched


class Load:
    """A kept connection to each server, which calls one route after the other at a constant pace. What is
    not answered with 200, and a connection that ends, is a failure.
    """

    def __init__(self, ports: Sequence[int], routes: Sequence[str], row: dict[str, float], per_second: float) -> None:
        """`per_second`: the requests of each connection."""
        self.answers: list[Answer] = []
        self.failures: list[str] = []
        self._ports, self._pause = ports, 1 / per_second
        body = json.dumps({"features": row})
        self._requests = [
            (route, f"POST /routes/{route}/predict HTTP/1.1\r\nHost: test\r\nContent-Length: {len(body)}\r\n"
                    f"Content-Type: application/json\r\n\r\n{body}".encode())
            for route in routes
        ]  # fmt: skip
        self._ended = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    async def _run(self) -> None:
        await asyncio.gather(*(self._ask_on(number, port) for number, port in enumerate(self._ports)))

    async def _ask_on(self, server: int, port: int) -> None:
        turn = server  # so that the servers are not called for the same route at the same time
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            while not self._ended.is_set():
                route, request = self._requests[turn % len(self._requests)]
                turn += 1
                began = time.monotonic()
                writer.write(request)
                self.answers.append(Answer(server, route, began, await _version(reader)))
                await asyncio.sleep(max(0.0, began + self._pause - time.monotonic()))
            writer.close()
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            self.failures.append(f"server {server}: {error!r}")


async def _version(reader: asyncio.StreamReader) -> str:
    head = await asyncio.wait_for(reader.readuntil(HEAD_END), 30)
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    body = await asyncio.wait_for(reader.readexactly(length), 30)
    if not head.startswith(b"HTTP/1.1 200 "):
        raise ValueError((head + body).decode())
    return str(json.loads(body)["version"])


class Watch:
    """Sees the routes of a namespace as `kubectl wait` does, by a watch, and notes when each generation converged."""

    def __init__(self, site: Site) -> None:
        self._converged: dict[tuple[str, int], float] = {}
        self._news = threading.Condition()
        self._watching = Watching(site.plane, MODEL_ROUTE, site.namespace, self._look)

    def close(self) -> None:
        self._watching.close()

    def _look(self, event: dict[str, Any]) -> None:
        route = event["object"]
        for condition in (route.get("status") or {}).get("conditions") or ():
            if condition["type"] == "Converged" and condition["status"] == "True":
                with self._news:
                    key = (route["metadata"]["name"], condition["observedGeneration"])
                    self._converged.setdefault(key, time.monotonic())
                    self._news.notify_all()

    def wait(self, route: str, generation: int, seconds: float = 60.0) -> float:
        """When the condition was first seen to be True of this very generation."""
        with self._news:
            assert self._news.wait_for(lambda: (route, generation) in self._converged, seconds), (route, generation)
            return self._converged[route, generation]


def switch(site: Site, watch: Watch, routes: Sequence[str], version: str) -> list[Switch]:
    """Patches one route after the other, then waits until each has converged."""
    patched = []
    for route in routes:
        began = time.monotonic()
        body = site.admin.patch(MODEL_ROUTE, route, {"spec": {"version": version}}, site.namespace)
        patched.append((route, began, time.monotonic(), body["metadata"]["generation"]))
    return [Switch(route, version, at, answered, watch.wait(route, number)) for route, at, answered, number in patched]


def ports(site: Site, servers: int) -> list[int]:
    """The public ports of so many ready servers."""
    return [server.sockets[0].getsockname()[1] for server in site.servers(servers)]


def every_server_answered(load: Load, servers: int, routes: Sequence[str], since: float) -> None:
    """Waits until each server has answered for each route to a request that began after a moment."""

    def seen() -> bool:
        recent = {(a.server, a.route) for a in load.answers[-50 * servers * len(routes) :] if a.began > since}
        return load.failures != [] or len(recent) == servers * len(routes)

    eventually(seen, 30)


def from_the_old_version(switches: Sequence[Switch], answers: Sequence[Answer]) -> tuple[list[Any], int]:
    """Answers to requests that began after a switch was seen to have converged and before the route's next one, but
    of another version; and how many were judged.
    """
    wrong, judged = [], 0
    by_route: dict[str, list[Answer]] = {}
    for answer in answers:
        by_route.setdefault(answer.route, []).append(answer)
    for route, asked in by_route.items():
        mine = sorted((s for s in switches if s.route == route), key=lambda s: s.patched)
        for made, following in zip(mine, [*mine[1:], None], strict=True):
            end = following.patched if following else float("inf")
            within = [a for a in asked if made.converged < a.began < end]
            judged += len(within)
            wrong += [(made, a) for a in within if a.version != made.version]
    return wrong, judged
