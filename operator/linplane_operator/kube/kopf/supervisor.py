"""Kopf, begun anew whenever it ends. It takes an ERROR of a watch that is not 410, and a refused list, for the end of
the whole operator; no restart of the process would cure either, nor make the answer come sooner.
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
"""A run that lasted so long was a good one."""
END_SECONDS = 7.0
"""Kopf gives its tasks five to end by themselves."""

Task = asyncio.Task[Any]
Spawn = Callable[[asyncio.Event], Coroutine[Any, Any, Collection[Task]]]
"""Starts Kopf's tasks, that end with the event."""

log = logging.getLogger(__name__)

_within: ContextVar[bool] = ContextVar("within Kopf", default=False)


class _Others(frozenset[Task]):
    """Every task that Kopf has not made. Left to itself it would cancel those too that began after it."""

    def __init__(self) -> None:
        self.kopfs: WeakSet[Task] = WeakSet()

    def __contains__(self, task: object) -> bool:
        return task not in self.kopfs

    def make(self, loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **more: Any) -> Task:
        """The loop's task factory: a task belongs to who made the one that makes it."""
        task = asyncio.Task(coro, loop=loop, **more)
        if _within.get():
            self.kopfs.add(task)
        return task


class Supervisor:
    """Runs it until it is told to stop. `clock` gives seconds that never go back."""

    def __init__(self, spawn: Spawn, clock: Callable[[], float], backoff: Backoff = BACKOFF) -> None:
        self._spawn = spawn
        self._clock = clock
        self._backoff = backoff
        self._failures = 1  # in succession, counted from a run that lasted
        self._problem = ""
        self._since: float | None = None  # when it last began; None while it does not run

    @property
    def problem(self) -> str:
        """By what it ended, until it has lasted for a while since; empty where all is well."""
        return "" if self._lasted() >= STEADY_SECONDS else self._problem

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`."""
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
            self._problem = f"the watches ended by {type(error).__name__}: {error}"[:500]
            log.warning("%s; begun anew in %.0f s", self._problem, pause)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)

    def _lasted(self) -> float:
        return 0.0 if self._since is None else self._clock() - self._since

    async def _once(self, stop: asyncio.Event, others: _Others) -> BaseException | None:
        """By what it ended."""
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
                    task.cancel()  # Kopf does that once, and waits for ever where one swallows it
            await running
        finally:
            running.cancel()


def _mind_signals(stop: asyncio.Event) -> None:
    """Kopf's handlers, that it has just put in place, know of this one run alone."""
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(RuntimeError, ValueError):  # not the main thread: then Kopf has put none
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
