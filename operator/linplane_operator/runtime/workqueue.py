"""A queue of keys: each at most once, one worker a key at a time, failures again later with growing delay.

What nobody waits for (a look at everything) stands behind what somebody has just changed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from linplane_api.timing import Backoff, Chance

from ..compile.outcome import Result
from .enqueue import WorkKey

FIRST_DELAY = 0.4  # seconds
LAST_DELAY = 300.0
AWAY_DELAY = 10.0  # at most, where the other side is away: once it is back, nobody waits for long
JITTER = (0.8, 1.2)

Work = Callable[[WorkKey], Awaitable[Result]]
"""Reconciles one key."""


class WorkQueue:
    """Deduplicating, fair, level-triggered. All calls belong to one event loop."""

    def __init__(self, work: Work, failed: Callable[[WorkKey, Exception], None], chance: Chance) -> None:
        """`failed` is called for each failure before the queue retries; `chance` is for the jitter of retries."""
        self._work = work
        self._failed = failed
        self._backoff = Backoff(FIRST_DELAY, LAST_DELAY, JITTER, chance)
        self._away_backoff = Backoff(FIRST_DELAY, AWAY_DELAY, JITTER, chance)
        self._ready: dict[WorkKey, None] = {}  # in order of arrival
        self._behind: dict[WorkKey, None] = {}  # their turn comes when nothing else is ready
        self._running: dict[WorkKey, float] = {}  # since when
        self._moved = 0.0  # when a key was last taken, or came when none waited
        self._again: set[WorkKey] = set()  # asked for while running
        self._failures: dict[WorkKey, int] = {}
        self._timers: dict[WorkKey, asyncio.TimerHandle] = {}
        self._wake = asyncio.Event()

    def add(self, keys: Iterable[WorkKey]) -> None:
        """Asks for each key to be reconciled soon."""
        self._begin()
        for key in keys:
            if timer := self._timers.pop(key, None):
                timer.cancel()
            if key in self._running:
                self._again.add(key)
            else:
                self._behind.pop(key, None)
                self._ready[key] = None
        self._wake.set()

    def add_low_priority(self, keys: Iterable[WorkKey]) -> None:
        """Asks for each key to be reconciled when there is nothing more urgent."""
        self._begin()
        for key in keys:
            if key not in self._ready and key not in self._running:
                self._behind[key] = None
        self._wake.set()

    def _begin(self) -> None:
        if not (self._ready or self._behind):
            self._moved = _now()

    def add_after(self, delay: float, key: WorkKey) -> None:
        """Asks for a key to be reconciled in `delay` seconds, or before where an event names it."""
        if timer := self._timers.get(key):
            timer.cancel()
        self._timers[key] = asyncio.get_running_loop().call_later(delay, self.add, (key,))

    @property
    def depth(self) -> int:
        """How many keys wait or run."""
        return len(self._ready) + len(self._behind) + len(self._running)

    @property
    def failing(self) -> int:
        """How many keys failed when they were last worked on."""
        return len(self._failures)

    @property
    def stalled(self) -> float:
        """For how many seconds keys have waited without one being taken; 0 where none waits."""
        return _now() - self._moved if self._ready or self._behind else 0.0

    @property
    def longest_running(self) -> float:
        """For how many seconds a worker is at the same key, at most."""
        return _now() - min(self._running.values(), default=_now())

    async def run(self, workers: int = 1) -> None:
        """Works until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._worker())

    async def _worker(self) -> None:
        while True:
            await asyncio.sleep(0)  # many keys need no call at all: others get their turn between two
            while not (self._ready or self._behind):
                self._wake.clear()
                await self._wake.wait()
            waiting = self._ready or self._behind
            key = next(iter(waiting))
            del waiting[key]
            self._moved = self._running[key] = _now()
            delay: float | None = None
            try:
                delay = (await self._work(key)).requeue_after
                self._failures.pop(key, None)
            except Exception as error:  # whatever it was, it is told and tried again
                self._failed(key, error)
                count = self._failures[key] = self._failures.get(key, 0) + 1
                backoff = self._away_backoff if isinstance(error, OSError) else self._backoff
                delay = backoff.delay(count)
            del self._running[key]
            if key in self._again:
                self._again.discard(key)
                self.add((key,))
            elif delay is not None:
                self.add_after(delay, key)


def _now() -> float:
    return asyncio.get_running_loop().time()
