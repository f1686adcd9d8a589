"""Runs the process: two listeners and the source in one loop, and an orderly end.

SIGTERM: not ready any more, answers close their connections, and for `drain` seconds it still accepts; then it stops
accepting and finishes what is under way. The admin listener ends last. A second signal skips the drain.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Coroutine
from typing import Any

from ..settings import Shutdown
from ..state.readiness import Readiness
from .listener import Listener
from .protocol import Guard

FIRST_LOOK = 2.0
"""Seconds that the public listener waits for a first configuration."""

_log = logging.getLogger(__name__)


class Process:
    """What runs. `background` is cancelled at the end."""

    def __init__(
        self,
        public: tuple[Listener, socket.socket],
        admin: tuple[Listener, socket.socket],
        guards: list[Guard],
        readiness: Readiness,
        shutdown: Shutdown,
    ) -> None:
        """Nothing runs yet."""
        self._public = public
        self._admin = admin
        self._guards = guards
        self._readiness = readiness
        self._shutdown = shutdown
        self._hurry = asyncio.Event()
        self._stopping = asyncio.Event()

    async def run(self, *background: Coroutine[Any, Any, None]) -> None:
        """Serves until a signal, or `stop`. A background task that fails ends the process with its error."""
        tasks = [asyncio.create_task(work) for work in (*background, *(guard.sweep() for guard in self._guards))]
        public, admin = self._public, self._admin
        servers = [asyncio.create_task(self._serve_public(*public)), asyncio.create_task(admin[0].serve([admin[1]]))]
        asking = asyncio.create_task(self._asked_to_stop())
        try:
            done, _ = await asyncio.wait([*tasks, *servers, asking], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            await self._end(servers)
        finally:
            for task in (*tasks, asking):
                task.cancel()

    def stop(self, *, drain: bool = True) -> None:
        """Asks for the end; a second time, or without `drain`, without waiting for others to learn of it."""
        if self._readiness.draining or not drain:
            self._hurry.set()
        self._readiness.draining = True
        for guard in self._guards:
            guard.drain()
        self._stopping.set()

    async def _serve_public(self, listener: Listener, sock: socket.socket) -> None:
        """Connections that wait in the socket are taken once there is something to answer by, or after a moment."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._readiness.loaded(), FIRST_LOOK)
        await listener.serve([sock])

    async def _asked_to_stop(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        await self._stopping.wait()
        _log.info("stopping", extra={"drainSeconds": self._shutdown.drain_seconds})

    async def _end(self, servers: list[asyncio.Task[None]]) -> None:
        plan = self._shutdown
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), plan.drain_seconds)
        _last_resort(plan.graceful_seconds + plan.hard_seconds)
        for (listener, _), task in zip((self._public, self._admin), servers, strict=True):
            listener.should_exit = True
            await task
        _log.info("stopped")


def _last_resort(seconds: float) -> None:
    """Ends the process from another thread, whatever holds the loop."""
    timer = threading.Timer(seconds, os._exit, (0,))
    timer.daemon = True
    timer.start()


def watch_stdin(process: Process) -> None:
    """Stops the process when standard input ends: whoever started it and held the other end is gone."""
    loop = asyncio.get_running_loop()

    def wait() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(lambda: process.stop(drain=False))

    threading.Thread(target=wait, daemon=True, name="stdin").start()
