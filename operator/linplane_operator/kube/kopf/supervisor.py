"""Restarts Kopf when it stops. Kopf stops the whole operator if a watch gets an ERROR other than 410, or if a list is
refused; a restart of the process would help with neither.
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Collection, Coroutine
from contextvars import ContextVar
from typing import Any
from weakref import WeakSet

import kopf

from linplane_api.timing import Backoff

BACKOFF = Backoff(1.0, 5.0)
STEADY_SECONDS = 15.0
"""A run that lasts this long resets the backoff."""
END_SECONDS = 7.0
"""Kopf gives its own tasks 5 s to end."""

Task = asyncio.Task[Any]
Spawn = Callable[[asyncio.Event], Coroutine[Any, Any, Collection[Task]]]
"""Starts Kopf's tasks, which end once the event is set."""

log = logging.getLogger(__name__)

_within: ContextVar[bool] = ContextVar("within Kopf", default=False)


class _Others(frozenset[Task]):
    """All tasks that Kopf did not create: it would also cancel those that others start during its run."""

    def __init__(self) -> None:
        self.kopfs: WeakSet[Task] = WeakSet()

    def __contains__(self, task: object) -> bool:
        return task not in self.kopfs

    def make(self, loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **more: Any) -> Task:
        """The loop's task factory: a task created within one of Kopf's is Kopf's as well."""
        task = asyncio.Task(coro, loop=loop, **more)
        if _within.get():
            self.kopfs.add(task)
        return task


class Supervisor:
    """Runs Kopf until it is stopped. `clock` is monotonic, in seconds."""

    def __init__(self, spawn: Spawn, clock: Callable[[], float], backoff: Backoff = BACKOFF) -> None:
        self._spawn = spawn
        self._clock = clock
        self._backoff = backoff
        self._failures = 1  # consecutive, since the last run that lasted
        self._problem = ""
        self._since: float | None = None  # start of the current run; None between runs

    @property
    def problem(self) -> str:
        """The error of the last run, until the current one has lasted STEADY_SECONDS; else empty."""
        return "" if self._lasted() >= STEADY_SECONDS else self._problem

    async def run(self, stop: asyncio.Event) -> None:
        """Runs until `stop`."""
        loop, others = asyncio.get_running_loop(), _Others()
        loop.set_task_factory(others.make)  # type: ignore[arg-type] # typeshed knows no keyword arguments
        while not stop.is_set():
            self._since = self._clock()
            error = await self._once(stop, others)
            lasted, self._since = self._lasted(), None
            if stop.is_set():
                return
            self._failures = 1 if lasted >= STEADY_SECONDS else self._failures + 1
            pause = self._backoff.delay(self._failures)
            self._problem = f"the watches stopped: {type(error).__name__}: {error}"[:500]
            log.warning("%s; restarting in %.0f s", self._problem, pause)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)

    def _lasted(self) -> float:
        return 0.0 if self._since is None else self._clock() - self._since

    async def _once(self, stop: asyncio.Event, others: _Others) -> BaseException | None:
        """Runs Kopf once; returns the error that ended it."""
        running = asyncio.ensure_future(self._work(stop, others))
        try:
            await asyncio.wait((running,))
        finally:
            running.cancel()
        return asyncio.CancelledError() if running.cancelled() else running.exception()

    async def _work(self, stop: asyncio.Event, others: _Others) -> None:
        _within.set(True)
        tasks = await self._spawn(stop)
        _mind_signals(stop)
        running = asyncio.ensure_future(kopf.run_tasks(tasks, ignored=others))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            while not (await asyncio.wait((running,), timeout=END_SECONDS))[0]:
                for task in {task for task in others.kopfs if not task.done()} - {running}:
                    task.cancel()  # Kopf cancels once, and waits forever for a task that ignores it
            await running
        finally:
            running.cancel()


def _mind_signals(stop: asyncio.Event) -> None:
    """Replaces the signal handlers that Kopf has just installed, which would stop this one run only."""
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(RuntimeError, ValueError):  # not the main thread: Kopf has installed none
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
