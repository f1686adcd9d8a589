"""Runs the two listeners and the background tasks in one loop, and shuts them down gracefully.

On SIGTERM the process becomes unready, and responses close their connections, but it still accepts for `drain_seconds`;
then it stops accepting and completes pending requests. The admin listener ends last. A second signal skips the drain.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Coroutine
from typing import Any, Protocol

from ..settings import Shutdown
from ..state.readiness import Readiness
from .listener import Listener
from .protocol import Guard

FIRST_CONFIGURATION_SECONDS = 2.0
"""Time that the public listener waits for a first configuration before it accepts."""

_log = logging.getLogger(__name__)


class OtherListener(Protocol):
    """A listener of another protocol, which starts and ends with the public one."""

    async def start(self) -> None:
        """Accepts calls from now on."""

    async def stop(self, seconds: float) -> None:
        """Accepts no more calls, and completes those in flight, for at most `seconds`."""


class Process:
    """The process: a public and an admin listener, each with its socket, and their guards.

    `other` is served besides, if it is set before `run`.
    """

    def __init__(
        self,
        public: tuple[Listener, socket.socket],
        admin: tuple[Listener, socket.socket],
        guards: list[Guard],
        readiness: Readiness,
        shutdown: Shutdown,
    ) -> None:
        """Starts nothing; see `run`."""
        self._public = public
        self._admin = admin
        self._guards = guards
        self._readiness = readiness
        self._shutdown = shutdown
        self._skip_drain = asyncio.Event()
        self._stopping = asyncio.Event()
        self.other: OtherListener | None = None

    async def run(self, *background: Coroutine[Any, Any, None]) -> None:
        """Serves until a signal, or `stop`; `background` is then cancelled. An exception of a background task is
        raised.
        """
        tasks = [asyncio.create_task(work) for work in (*background, *(guard.sweep() for guard in self._guards))]
        public, admin = self._public, self._admin
        servers = [asyncio.create_task(self._serve_public(*public)), asyncio.create_task(admin[0].serve([admin[1]]))]
        stopping = asyncio.create_task(self._stop_requested())
        try:
            done, _ = await asyncio.wait([*tasks, *servers, stopping], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            await self._end(servers)
        finally:
            for task in (*tasks, stopping):
                task.cancel()

    def stop(self, *, drain: bool = True) -> None:
        """Starts the shutdown. A second call, or one without `drain`, skips the drain."""
        if self._readiness.draining or not drain:
            self._skip_drain.set()
        self._readiness.draining = True
        for guard in self._guards:
            guard.drain()
        self._stopping.set()

    async def _serve_public(self, listener: Listener, sock: socket.socket) -> None:
        """Accepts the connections queued in the socket once a configuration is loaded, or after a moment."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._readiness.loaded(), FIRST_CONFIGURATION_SECONDS)
        if self.other:
            await self.other.start()
        await listener.serve([sock])

    async def _stop_requested(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        await self._stopping.wait()
        _log.info("stopping", extra={"drainSeconds": self._shutdown.drain_seconds})

    async def _end(self, servers: list[asyncio.Task[None]]) -> None:
        times = self._shutdown
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._skip_drain.wait(), times.drain_seconds)
        _exit_after(times.graceful_seconds + times.hard_seconds)
        (public, _), (admin, _) = self._public, self._admin
        public.should_exit = True
        if self.other:
            await self.other.stop(times.graceful_seconds)
        await servers[0]
        admin.should_exit = True
        await servers[1]
        _log.info("stopped")


def _exit_after(seconds: float) -> None:
    """Exits the process after this time from another thread, even if the loop is blocked."""
    timer = threading.Timer(seconds, os._exit, (0,))
    timer.daemon = True
    timer.start()


def watch_stdin(process: Process) -> None:
    """Stops the process when standard input ends, which means that its parent has exited."""
    loop = asyncio.get_running_loop()

    def wait() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(lambda: process.stop(drain=False))

    threading.Thread(target=wait, daemon=True, name="stdin").start()
