"""The public listener's ASGI application: it answers predictions and leaves all else (documentation, 404) to FastAPI.

Predictions bypass FastAPI, whose stack costs several times as much as the prediction itself.
"""

import asyncio
from collections.abc import Callable
from contextlib import nullcontext

from msgspec.structs import replace
from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import Overloaded, TooLarge
from ..predict.interface import Answer, Call, Target, by_name
from ..predict.parts import WHOLE_BYTES, too_large
from ..predict.predictor import Predictor
from ..problems import Headers
from ..settings import KIB, Limits
from ..state.budget import Budget, Share
from ..turns import Turns
from .public_pages import PublicPages
from .streaming import Gone, drive, received
from .targets import below, find_target

COMPRESSED = 4
"""Compressed bodies that are computed at once: a budget counts them as they come, a thousandth of what they may be."""

PAGE_BODY = 4 * KIB
"""The limit on the body of a page's request, in bytes."""


class PublicApp:
    """An ASGI application. `budget` bounds what it holds of bodies; `root_path` is the prefix that paths may have.
    `turns` are those of requests that are computed in slices.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - its collaborators
        self,
        predictor: Predictor,
        pages: PublicPages,
        rest: ASGIApp,
        limits: Limits,
        budget: Budget,
        root_path: str = "",
    ) -> None:
        """`rest` is the application for the paths that are neither a prediction's nor in `pages`."""
        self._predictor = predictor
        self._pages = pages
        self._rest = rest
        self._limits = limits
        self._budget = budget
        self._root_path = root_path
        self.turns = Turns()
        self._compressed = asyncio.Semaphore(COMPRESSED)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request (ASGI 3)."""
        if scope["type"] == "http":
            path = below(self._root_path, scope["path"])
            target = find_target(path)
            if target is not None:
                await self._answer(target, scope, receive, send)
                return
            fields: Headers = scope["headers"]
            data = await read_body(fields, receive, PAGE_BODY) if self._pages.reads(path) else b""
            if data is None:
                return
            page = self._pages.answer(scope["method"], path, by_name(fields), data)
            if page is not None:
                await _send(page, send)
                return
            scope = {**scope, "path": path}
        await self._rest(scope, receive, send)

    async def _answer(self, target: Target, scope: Scope, receive: Receive, send: Send) -> None:
        fields: Headers = scope["headers"]
        headers = by_name(fields)
        client = scope["client"]
        call = Call(scope["method"], fields, headers, client[0] if client else "", b"", self._limits.body_bytes)
        answer = self._in_parts if target.interface.may_stream(headers) else self._as_a_whole
        share = Share(self._budget)
        try:
            answered = await answer(target, call, receive, share)
            share.release()
            await _send(answered, send)
        except Gone:
            self._predictor.count_incomplete(target, call)
        finally:
            share.release()

    async def _in_parts(self, target: Target, call: Call, receive: Receive, share: Share) -> Answer:
        limit = self._limits.streamed_bytes
        if is_over(call.fields, limit):
            return self._predictor.respond(target, replace(call, data=too_large(limit)))
        return await drive(self._predictor.stream(target, call), receive, limit, share, self.turns)

    async def _as_a_whole(self, target: Target, call: Call, receive: Receive, share: Share) -> Answer:
        try:
            data = await read_body(call.fields, receive, self._limits.body_bytes, share.hold)
        except Overloaded as refusal:
            return self._predictor.respond(target, replace(call, data=refusal))
        if data is None:
            raise Gone
        if isinstance(data, TooLarge) or (len(data) <= WHOLE_BYTES and b"content-encoding" not in call.headers):
            return self._predictor.respond(target, replace(call, data=data))
        if not share.hold(len(data)):  # others have their turn before it is answered
            return self._predictor.respond(target, replace(call, data=Overloaded()))
        async with self._compressed if b"content-encoding" in call.headers else nullcontext():
            return await drive(self._predictor.stream(target, call), received(data), len(data), share, self.turns)


async def _send(answer: Answer, send: Send) -> None:
    status, headers, content = answer
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content, "more_body": False})


async def read_body(
    fields: Headers, receive: Receive, limit: int, hold: Callable[[int], bool] = lambda _: True
) -> bytes | TooLarge | None:
    """Returns the body, or a refusal: by the declared length before the first byte, else by count. None if the client
    disconnected. `hold` is asked for each number of bytes that have arrived while more are to come. Raises Overloaded
    if it returns False.
    """
    if is_over(fields, limit):
        return too_large(limit)
    message = await receive()
    if message["type"] != "http.request":
        return None
    data = message["body"]
    if not message["more_body"]:
        return data if len(data) <= limit else too_large(limit)
    parts = bytearray(data)
    while message["more_body"] and len(parts) <= limit:
        if not hold(len(parts)):
            raise Overloaded
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts += message["body"]
    return bytes(parts) if len(parts) <= limit else too_large(limit)


def is_over(fields: Headers, limit: int) -> bool:
    """Returns whether the declared length is over the limit."""
    return any(name == b"content-length" and (len(value) > 18 or int(value) > limit) for name, value in fields)
