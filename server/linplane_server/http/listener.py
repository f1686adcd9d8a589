"""A listener: a uvicorn server on a given socket, without signal handlers."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Generator

import uvicorn
from starlette.types import ASGIApp

BACKLOG = 2048

_NO_IPV6 = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT}


class Listener(uvicorn.Server):
    """A uvicorn server. Setting `should_exit` stops it: it closes its socket and waits for pending requests, at most
    `graceful` seconds.
    """

    def __init__(self, app: ASGIApp, protocol: Callable[..., asyncio.Protocol], graceful: float) -> None:
        """Binds nothing; `serve` takes a socket. `protocol` makes a connection from uvicorn's arguments."""
        config = uvicorn.Config(
            app,
            http=protocol,  # type: ignore[arg-type]
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=graceful,  # type: ignore[arg-type]
        )
        super().__init__(config)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Captures none: `lifecycle` handles signals."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """Returns a listening TCP socket. Raises OSError. `::` accepts IPv4 too, and falls back to IPv4 on a machine
    without IPv6.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG, dualstack_ipv6=host == "::")
    except OSError as error:
        if host != "::" or error.errno not in _NO_IPV6:
            raise
    return socket.create_server(("0.0.0.0", port), backlog=BACKLOG)  # noqa: S104 - the host is every address


def inherited(number: int) -> socket.socket:
    """Returns the listening socket inherited as this file descriptor. Raises OSError if it is not a socket."""
    return socket.socket(fileno=number)
