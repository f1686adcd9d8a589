"""A reverse proxy between a program and the API server that counts its calls and injects faults.

A `Rule` decides for each call what happens to it; a call that no rule matches goes through. Watches can be
cut, silenced, and have events repeated or dropped. All proxies of a test session share one thread.
"""

import asyncio
import json
import logging
import ssl
import threading
from collections.abc import Callable, Coroutine
from typing import Any, cast

import aiohttp
from aiohttp import web

from cluster.controlplane import ControlPlane
from integration.faults.calls import (
    Answer,
    Call,
    Delay,
    Empty,
    Event,
    Gone,
    Lose,
    Rule,
    Stale,
    is_allowed,
    question,
    read_call,
    version_in,
)

HOP_BY_HOP = {"host", "connection", "keep-alive", "transfer-encoding", "content-length", "accept-encoding"}


class Proxies:
    """The thread that runs all proxies."""

    def __init__(self) -> None:
        logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # resets are intended here
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True, name="proxies")
        self._thread.start()

    def do(self, work: Coroutine[Any, Any, Any], timeout: float = 30) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout)

    def close(self) -> None:
        self.do(self._end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class Proxy:
    """A proxy on its own port. `rules`, `repeat` and the rest may be set at any time, from any thread."""

    def __init__(self, proxies: Proxies, plane: ControlPlane, *, tls: bool = False) -> None:
        """`tls`: serves with the API server's own certificate; else plain HTTP."""
        self.rules: list[Rule] = []
        self.repeat: Callable[[Call, Event], int] | None = None
        """How many times an event of a watch is passed on; once if None."""
        self.reviews: dict[str, bytes] | None = None
        """Access reviews that were allowed, which are answered from here: shared by sites whose operators have equal
        rights, each in its own namespace.
        """
        self.hushed: Callable[[Call], bool] = lambda _: False  # these watches deliver nothing
        self.silent = False  # open and new watches deliver nothing any more
        self.away: str = ""  # "reset" or "hang": the API server is down
        self.calls: list[Call] = []
        self._lists: dict[str, bytes] = {}
        self._proxies, self._plane, self._tls = proxies, plane, tls
        self._watches: dict[int, web.BaseRequest] = {}
        self._mute: set[int] = set()  # permanently, like a connection that a firewall dropped
        self._admin = {"Authorization": f"Bearer {plane.admin.token}"}
        proxies.do(self._start())

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    def close(self) -> None:
        self._proxies.do(self._stop())

    def cut(self) -> None:
        """Ends every watch, in the middle of a line."""
        self._proxies.loop.call_soon_threadsafe(self._cut)

    def silence(self) -> None:
        """Open watches deliver nothing any more, and are not closed."""
        self.silent = True
        self._proxies.loop.call_soon_threadsafe(lambda: self._mute.update(self._watches))

    def leave(self, how: str) -> None:
        """The API server is down until `come_back`."""
        self.away = how
        if how == "reset":
            self.cut()
        else:
            self._proxies.loop.call_soon_threadsafe(lambda: self._mute.update(self._watches))

    def come_back(self) -> None:
        self.away, self.silent = "", False

    def remember(self) -> None:
        """Keeps the current answer of each list that the operator ever made, for `Stale`."""
        self._proxies.do(self._remember())

    def writes(self, since: int = 0) -> list[Call]:
        """Calls that changed something."""
        return [call for call in self.calls[since:] if call.changed]

    # ---- within the thread ----

    async def _start(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, ssl=ssl.create_default_context(cafile=str(self._plane.certificate))
            ),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None),
            read_bufsize=1 << 20,
        )
        self._runner = web.ServerRunner(web.Server(self._handle), handle_signals=False, shutdown_timeout=0.1)
        await self._runner.setup()
        context = None
        if self._tls:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(self._plane.certificate, self._plane.private_key)
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        self._cut()
        await self._runner.cleanup()
        await self._session.close()

    async def _remember(self) -> None:
        for path in list(self._lists):
            async with self._session.get(self._plane.server + path, headers=self._admin) as answer:
                self._lists[path] = await answer.read()

    def _cut(self) -> None:
        for request in self._watches.values():
            _reset(request)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        call = read_call(request.method, request.path, request.query_string)
        self.calls.append(call)
        if self.away:
            await self._nobody(request)
        action = next(filter(None, (rule(call) for rule in self.rules)), None)
        if isinstance(action, Answer):
            call.status = action.status
            return _refusal(action)
        if isinstance(action, Gone):
            call.status = 200
            return web.Response(body=_line(_ended(action.code)), content_type="application/json")
        if isinstance(action, Stale) and (body := self._lists.get(request.path_qs)):
            call.status = 200
            return web.Response(body=body, content_type="application/json")
        if isinstance(action, Lose) and not action.applied:
            return self._lose(request, action)
        if isinstance(action, Delay):
            await asyncio.sleep(action.seconds)
        if call.is_watch:
            return await self._watch(request, call)
        answer = await self._pass_on(request, call)
        if isinstance(action, Empty):
            return web.json_response({**json.loads(cast("bytes", answer.body)), "items": []})
        if isinstance(action, Lose):
            return self._lose(request, action)
        if self.away:  # since
            await self._nobody(request)
        return answer

    async def _nobody(self, request: web.BaseRequest) -> None:
        while self.away == "hang" and request.transport is not None:
            await asyncio.sleep(0.05)
        _reset(request)
        raise ConnectionResetError

    def _lose(self, request: web.BaseRequest, action: Lose) -> web.StreamResponse:
        if action.then:
            action.then()
        _reset(request)
        raise ConnectionResetError

    async def _pass_on(self, request: web.BaseRequest, call: Call) -> web.Response:
        given = await request.read()
        asked = question(given) if call.is_review and self.reviews is not None else ""
        if self.reviews is not None and asked in self.reviews:
            call.status = 201
            return web.Response(body=self.reviews[asked], status=201, content_type="application/json")
        before = await self._version(call) if call.is_write and call.name else ""
        async with self._ask(request, given) as answer:
            body = await answer.read()
        call.status = answer.status
        if call.is_list:
            self._lists.setdefault(request.path_qs, b"")
        if call.is_write and 200 <= call.status < 300:
            call.changed = call.method == "DELETE" or before != version_in(body)
        if call.changed:
            call.answer = body
        if self.reviews is not None and asked and is_allowed(body):
            self.reviews[asked] = body
        headers = {k: v for k, v in answer.headers.items() if k.lower() not in HOP_BY_HOP}
        return web.Response(body=body, status=answer.status, headers=headers)

    async def _version(self, call: Call) -> str:
        """The object's version before the call."""
        path = call.path.removesuffix(f"/{call.subresource}") if call.subresource else call.path
        async with self._session.get(self._plane.server + path, headers=self._admin) as answer:
            return version_in(await answer.read())

    def _ask(self, request: web.BaseRequest, body: bytes) -> Any:
        headers = [(k, v) for k, v in request.headers.items() if k.lower() not in HOP_BY_HOP]
        headers.append(("Accept-Encoding", "identity"))
        url = self._plane.server + request.path_qs
        return self._session.request(request.method, url, headers=headers, data=body or None)

    async def _watch(self, request: web.BaseRequest, call: Call) -> web.StreamResponse:
        self._watches[id(request)] = request
        try:
            async with self._ask(request, b"") as answer:
                call.status = answer.status
                response = web.StreamResponse(status=answer.status, headers={"Content-Type": "application/json"})
                await response.prepare(request)
                await self._pass_lines(request, call, answer, response)
            return response
        finally:
            del self._watches[id(request)]
            self._mute.discard(id(request))

    async def _pass_lines(
        self, request: web.BaseRequest, call: Call, answer: aiohttp.ClientResponse, response: web.StreamResponse
    ) -> None:
        rest = b""
        while True:
            chunk = await _unless_gone(request, answer.content.readany())
            if self.silent or self.away or self.hushed(call):
                self._mute.add(id(request))
            while id(request) in self._mute and request.transport is not None:
                await asyncio.sleep(0.1)
            if not chunk or request.transport is None:
                return
            *lines, rest = (rest + chunk).split(b"\n")
            repeat = self.repeat
            for line in lines:
                times = repeat(call, json.loads(line)) if repeat and answer.status == 200 else 1
                for _ in range(times):
                    await response.write(line + b"\n")


async def _unless_gone(request: web.BaseRequest, reading: Coroutine[Any, Any, bytes]) -> bytes:
    """The result of the read, nothing if the client has disconnected."""
    task = asyncio.ensure_future(reading)
    try:
        while request.transport is not None:
            if (await asyncio.wait([task], timeout=0.2))[0]:
                return task.result()
    finally:
        task.cancel()
    return b""


def _reset(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.abort()


REASONS = {403: "Forbidden", 409: "Conflict", 410: "Expired", 429: "TooManyRequests", 503: "ServiceUnavailable"}


def _status(code: int) -> dict[str, Any]:
    reason = REASONS.get(code, "InternalError")
    return {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "injected by a test",
        "reason": reason, "code": code,
    }  # fmt: skip


def _refusal(answer: Answer) -> web.Response:
    headers = {} if answer.retry_after is None else {"Retry-After": str(answer.retry_after)}
    return web.json_response(_status(answer.status), status=answer.status, headers=headers)


def _ended(code: int) -> Event:
    return {"type": "ERROR", "object": _status(code)}


def _line(event: Event) -> bytes:
    return json.dumps(event).encode() + b"\n"
