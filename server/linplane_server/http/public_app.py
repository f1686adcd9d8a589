"""The public listener's ASGI application: predictions are answered here, everything else (documentation, 404) by
FastAPI behind it.

FastAPI's stack costs several times what a prediction does, so a prediction does not pass through it.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import TooLarge
from ..predict.predictor import Predictor
from ..problems import Headers

PREDICT = "/predict"
ROUTES = "/routes/"


def addressed_route(path: str) -> tuple[bool, str | None]:
    """Whether a path asks for a prediction, and of which route; None where the Host says it."""
    if path == PREDICT:
        return True, None
    if path.startswith(ROUTES) and path.endswith(PREDICT):
        name = path[len(ROUTES) : -len(PREDICT)]
        return "/" not in name and bool(name), name
    return False, None


class PublicApp:
    """See the module. `max_body` is in bytes."""

    def __init__(self, predictor: Predictor, rest: ASGIApp, max_body: int) -> None:
        """`rest` answers every other path."""
        self._respond = predictor.respond
        self._rest = rest
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, by ASGI 3."""
        if scope["type"] == "http":
            prediction, name = addressed_route(scope["path"])
            if prediction:
                await self._predict(scope, name, receive, send)
                return
        await self._rest(scope, receive, send)

    async def _predict(self, scope: Scope, name: str | None, receive: Receive, send: Send) -> None:
        fields: Headers = scope["headers"]
        data = await read_body(fields, receive, self._max_body)
        if data is None:
            return
        client = scope["client"]
        status, headers, content = self._respond(scope["method"], name, fields, client[0] if client else "", data)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content, "more_body": False})


async def read_body(fields: Headers, receive: Receive, limit: int) -> bytes | TooLarge | None:
    """The body, or why it was not read: by its declared length before the first byte, else by count. None where the
    client went away.
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
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts += message["body"]
    return bytes(parts) if len(parts) <= limit else _too_large(limit)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is over {limit} bytes; send fewer rows a request")
