"""The public listener's ASGI application: it answers predictions and leaves all else (documentation, 404) to FastAPI.

Predictions bypass FastAPI, whose stack costs several times as much as the prediction itself.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import TooLarge
from ..predict.predictor import Predictor
from ..problems import Headers

PREDICT = "/predict"
ROUTES = "/routes/"


def addressed_route(path: str) -> tuple[bool, str | None]:
    """Returns whether a path is that of a prediction, and the route in it; None if the route is given by Host."""
    if path == PREDICT:
        return True, None
    if path.startswith(ROUTES) and path.endswith(PREDICT):
        name = path[len(ROUTES) : -len(PREDICT)]
        return "/" not in name and bool(name), name
    return False, None


class PublicApp:
    """An ASGI application. `max_body` is in bytes."""

    def __init__(self, predictor: Predictor, rest: ASGIApp, max_body: int) -> None:
        """`rest` is the application for all other paths."""
        self._respond = predictor.respond
        self._rest = rest
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request (ASGI 3)."""
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
    """Returns the body, or a refusal: by the declared length before the first byte, else by count. None if the client
    disconnected.
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
    return TooLarge(f"the body is over {limit} bytes; send fewer rows per request")
