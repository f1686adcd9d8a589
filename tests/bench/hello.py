"""The baseline: a bare ASGI hello on uvicorn, with the same loop and parser as the server."""

import socket
import sys
from typing import Any

import uvicorn

BODY = b'{"hello":"world"}'
START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())],
}


async def app(_: dict[str, Any], receive: Any, send: Any) -> None:
    """Reads the body, for the server does so too, and answers."""
    while (await receive()).get("more_body"):
        pass
    await send(START)
    await send({"type": "http.response.body", "body": BODY})


def main(number: int) -> None:
    """Serves on an inherited socket."""
    config = uvicorn.Config(app, loop="uvloop", http="httptools", lifespan="off", access_log=False, log_level="warning")
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=number)])


if __name__ == "__main__":
    main(int(sys.argv[1]))
