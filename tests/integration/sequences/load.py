"""Requests at a constant rate to the ready servers of many namespaces, from one thread. Every answer is kept."""

import asyncio
import json
import random
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from integration.operator.kubelet import Container
from integration.sequences.judging import NO_ANSWER, NO_SERVER, Answer

TIMEOUT = 15.0
HEAD_END = b"\r\n\r\n"
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Loads:
    """The thread that runs all loads."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True, name="loads")
        self._thread.start()

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


class Load:
    """Requests predictions of `routes` in turn, each with one of `rows` and a user's key, from a ready server, as a
    Service does. No request waits for another one. A request without any ready server counts as failed.
    """

    def __init__(
        self, loads: Loads, servers: Callable[[], Sequence[Container]], routes: Sequence[str], per_second: float
    ) -> None:
        self.answers: list[Answer] = []
        self.routes = list(routes)
        self.rows: list[Mapping[str, float]] = [{"x": value} for value in (1.0, 2.5, -4.0)]
        self._loads, self._servers, self._pause = loads, servers, 1 / per_second
        self._chance = random.Random(7)
        self._idle: dict[str, list[Connection]] = {}  # kept connections, by the server's UID
        self._ended = False
        self._running = asyncio.run_coroutine_threadsafe(self._run(), loads.loop)

    def close(self) -> None:
        """Stops, and waits for requests in flight."""
        self._ended = True
        self._running.result(TIMEOUT + 15)

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            begin = time.monotonic()
            while not self._ended:
                servers = self._servers()
                for route in self.routes:
                    row = self._chance.choice(self.rows)
                    if servers:
                        group.create_task(self._ask(self._chance.choice(servers), route, row))
                    else:
                        now = time.monotonic()
                        self.answers.append(Answer(route, row, "", now, now, NO_SERVER, problem="no server is ready"))
                begin = max(begin + self._pause * max(1, len(self.routes)), time.monotonic() - 1)
                await asyncio.sleep(begin - time.monotonic())
        for _, writer in (connection for idle in self._idle.values() for connection in idle):
            writer.close()

    async def _ask(self, server: Container, route: str, row: Mapping[str, float]) -> None:
        began = time.monotonic()
        body = json.dumps({"features": row, "key": f"user-{self._chance.randrange(100_000)}"})
        request = (
            f"POST /routes/{route}/predict HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        )
        try:
            async with asyncio.timeout(TIMEOUT):
                status, headers, answer = await self._exchange(server, request.encode())
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            found: dict[str, Any] = {"status": NO_ANSWER, "problem": repr(error)}
        else:
            found = {"status": status, "problem": answer.decode()}
            if status == 200:
                said = json.loads(answer)
                found |= {"version": said["version"], "prediction": said["prediction"], "problem": ""}
                found["revision"] = headers["x-linplane-revision"]
        self.answers.append(Answer(route, row, server.uid, began, time.monotonic(), **found))

    async def _exchange(self, server: Container, request: bytes) -> tuple[int, dict[str, str], bytes]:
        idle = self._idle.setdefault(server.uid, [])
        connection = idle.pop() if idle else None
        if connection is None or connection[0].at_eof() or connection[0].exception():
            if connection:
                connection[1].close()
            connection = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
        reader, writer = connection
        try:
            writer.write(request)
            lines = (await reader.readuntil(HEAD_END)).decode().splitlines()
            pairs = (line.partition(":") for line in lines[1:])
            headers = {name.lower(): value.strip() for name, _, value in pairs if name}
            answer = await reader.readexactly(int(headers["content-length"]))
        except BaseException:
            writer.close()
            raise
        if headers.get("connection", "").lower() == "close":
            writer.close()
        else:
            idle.append(connection)
        return int(lines[0].split()[1]), headers, answer
