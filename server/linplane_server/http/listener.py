"""One listener: a uvicorn server on a socket of ours, without signal handlers of its own."""

import contextlib
import errno
import socket
from collections.abc import Generator

import uvicorn
from starlette.types import ASGIApp

from .protocol import Guard

BACKLOG = 2048

_NO_IPV6 = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT}


class Listener(uvicorn.Server):
    """See the module. `should_exit` ends it: it stops accepting and waits for what is under way, at most `graceful`
    seconds.
    """

    def __init__(self, app: ASGIApp, guard: Guard, graceful: float) -> None:
        """Binds nothing yet; `serve` takes the socket."""
        config = uvicorn.Config(
            app,
            http=guard.protocol(),  # type: ignore[arg-type]
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
        """None are: `lifecycle` has them."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket. Raises OSError. A host of `::` takes IPv4 too, and is IPv4 alone on a machine without
    IPv6.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG, dualstack_ipv6=host == "::")
    except OSError as error:
        if host != "::" or error.errno not in _NO_IPV6:
            raise
    return socket.create_server(("0.0.0.0", port), backlog=BACKLOG)  # noqa: S104 - every address was asked for


def inherited(number: int) -> socket.socket:
    """A listening socket that the parent process handed over as a file descriptor. Raises OSError where it is none."""
    return socket.socket(fileno=number)
