"""The public listener's ASGI application: it answers predictions and leaves all else (documentation, 404) to FastAPI.

Predictions bypass FastAPI, whose stack costs several times as much as the prediction itself.
"""

from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import Overloaded, TooLarge
from ..predict.interface import Answer, Call, Target
from ..predict.predictor import Predictor
from ..problems import Headers
from ..settings import KIB, Limits
from ..state.budget import Budget, Share
from .public_pages import PublicPages
from .targets import below, find_target

PAGE_BODY = 4 * KIB
"""The limit on the body of a page's request, in bytes."""


class PublicApp:
    """An ASGI application. `budget` bounds what it holds of bodies; `root_path` is the prefix that paths may have."""

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
        self._predict = predictor.respond
        self._pages = pages
        self._rest = rest
        self._limits = limits
        self._budget = budget
        self._root_path = root_path

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
            page = self._pages.answer(scope["method"], path, dict(fields), data)
            if page is not None:
                await _send(page, send)
                return
            scope = {**scope, "path": path}
        await self._rest(scope, receive, send)

    async def _answer(self, target: Target, scope: Scope, receive: Receive, send: Send) -> None:
        fields: Headers = scope["headers"]
        limit = self._limits.body_bytes
        share = Share(self._budget)
        data: bytes | TooLarge | Overloaded | None
        try:
            try:
                data = await read_body(fields, receive, limit, share.hold)
            except Overloaded as refusal:
                data = refusal
            if data is None:
                return
            client = scope["client"]
            call = Call(scope["method"], fields, dict(fields), client[0] if client else "", data, limit)
            answer = self._predict(target, call)
        finally:
            share.release()
        await _send(answer, send)


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
    for name, value in fields:
        if name == b"content-length" and (len(value) > 18 or int(value) > limit):
            return _too_large(limit)
    message = await receive()
    if message["type"] != "http.request":
        return None
    data = message["body"]
    if not message["more_body"]:
        return data if len(data) <= limit else _too_large(limit)
    parts = bytearray(data)
    while message["more_body"] and len(parts) <= limit:
        if not hold(len(parts)):
            raise Overloaded
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts += message["body"]
    return bytes(parts) if len(parts) <= limit else _too_large(limit)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is over {limit} bytes; send fewer rows per request")
