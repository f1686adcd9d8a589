"""A server twice, on the fast path and by the application, and what may happen to both."""

from collections.abc import Callable

from linplane_api.routing import RateLimit
from linplane_server.settings import MIB, Limits
from linplane_server.state.budget import Share
from unit.server.builders import document, serving
from unit.server.wire import LIMITS, Wire

SPLIT = document(split=[("v2", 5000)], header="X-User-Id", limit=RateLimit(1e6, 1000, "Client"))
OK = b"HTTP/1.1 200 OK\r\n"

Step = bytes | Callable[[Wire], object]
"""What a client sends, or what else happens to a connection."""


async def both(limits: Limits = LIMITS) -> tuple[Wire, Wire]:
    """The same server twice: on the fast path, and by the application."""
    return Wire(await serving(SPLIT), True, limits), Wire(await serving(SPLIT), False, limits)


async def compare(*steps: Step, limits: Limits = LIMITS) -> tuple[Wire, Wire]:
    """Takes these steps both ways, and expects the same after each."""
    fast, usual = await both(limits)
    for step in steps:
        for wire in (fast, usual):
            await (wire.send(step) if isinstance(step, bytes) else wire.act(step))
        assert fast.state == usual.state
    return fast, usual


# ---- events of a connection ----


def late(wire: Wire) -> None:
    """The deadline passes."""
    wire.loop.now = wire.protocol.due
    wire.protocol.expire()


def drain(wire: Wire) -> None:
    """The server begins to drain."""
    wire.guard.drain()


def stop(wire: Wire) -> None:
    """The server stops, after it has drained."""
    wire.guard.drain()
    wire.protocol.shutdown()


def lose(wire: Wire) -> None:
    """The client is gone."""
    wire.transport.closing = True
    wire.protocol.connection_lost(ConnectionResetError())


def end(wire: Wire) -> None:
    """The client sends nothing more, and reads on."""
    if not wire.protocol.eof_received():
        wire.transport.close()


def occupy(wire: Wire) -> None:
    """Other bodies hold all that they may."""
    Share(wire.guard.budget).keep(wire.guard.budget.total)


def owe(wire: Wire) -> None:
    """The client has not read a part of an answer."""
    wire.transport.unsent = MIB


def fill(wire: Wire) -> None:
    """The client has not read for so long that no more answers are to be written."""
    wire.protocol.pause_writing()


def read(wire: Wire) -> None:
    """The client has read all answers."""
    wire.protocol.resume_writing()
