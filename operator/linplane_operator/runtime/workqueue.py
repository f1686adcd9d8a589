"""The workqueue: each key is queued at most once and worked on by one worker at a time; failures are requeued with
backoff. Keys of a resync have low priority, behind those of changes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from linplane_api.timing import Backoff, Chance

from ..compile.outcome import Result
from .enqueue import WorkKey

FIRST_DELAY = 0.4  # seconds
LAST_DELAY = 300.0
AWAY_DELAY = 10.0  # the maximum while the API server is away, so that its return is noticed soon
JITTER = (0.8, 1.2)

Work = Callable[[WorkKey], Awaitable[Result]]
"""Reconciles one key."""


class WorkQueue:
    """Deduplicating, fair, level-triggered. All calls belong to one event loop."""

    def __init__(self, work: Work, failed: Callable[[WorkKey, Exception], None], chance: Chance) -> None:
        """`failed` is called for each failure before the requeue; `chance` gives the jitter of the backoff."""
        self._work = work
        self._failed = failed
        self._backoff = Backoff(FIRST_DELAY, LAST_DELAY, JITTER, chance)
        self._away_backoff = Backoff(FIRST_DELAY, AWAY_DELAY, JITTER, chance)
        self._ready: dict[WorkKey, None] = {}  # in order of arrival
        self._low_priority: dict[WorkKey, None] = {}  # taken when nothing else is ready
        self._running: dict[WorkKey, float] = {}  # since when
        self._moved = 0.0  # when a key was last taken, or the first one queued
        self._requeued: set[WorkKey] = set()  # enqueued while running
        self._failures: dict[WorkKey, int] = {}
        self._timers: dict[WorkKey, asyncio.TimerHandle] = {}
        self._wake = asyncio.Event()

    def add(self, keys: Iterable[WorkKey]) -> None:
        """Enqueues keys."""
        self._note_start()
        for key in keys:
            if timer := self._timers.pop(key, None):
                timer.cancel()
            if key in self._running:
                self._requeued.add(key)
            else:
                self._low_priority.pop(key, None)
                self._ready[key] = None
        self._wake.set()

    def add_low_priority(self, keys: Iterable[WorkKey]) -> None:
        """Enqueues keys behind all others."""
        self._note_start()
        for key in keys:
            if key not in self._ready and key not in self._running:
                self._low_priority[key] = None
        self._wake.set()

    def _note_start(self) -> None:
        if not (self._ready or self._low_priority):
            self._moved = _now()

    def add_after(self, delay: float, key: WorkKey) -> None:
        """Enqueues a key in `delay` seconds, unless it is enqueued earlier."""
        if timer := self._timers.get(key):
            timer.cancel()
        self._timers[key] = asyncio.get_running_loop().call_later(delay, self.add, (key,))

    @property
    def depth(self) -> int:
        """Number of keys that are queued or being worked on."""
        return len(self._ready) + len(self._low_priority) + len(self._running)

    @property
    def failing(self) -> int:
        """Number of keys whose last attempt failed."""
        return len(self._failures)

    @property
    def stalled(self) -> float:
        """Seconds that keys have been queued without one being taken; 0 if none is queued."""
        return _now() - self._moved if self._ready or self._low_priority else 0.0

    @property
    def longest_running(self) -> float:
        """Seconds that the slowest key in progress has taken so far."""
        return _now() - min(self._running.values(), default=_now())

    async def run(self, workers: int = 1) -> None:
        """Runs the workers until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._worker())

    async def _worker(self) -> None:
        while True:
            await asyncio.sleep(0)  # many keys need no I/O: let other tasks run between them
            while not (self._ready or self._low_priority):
                self._wake.clear()
                await self._wake.wait()
            waiting = self._ready or self._low_priority
            key = next(iter(waiting))
            del waiting[key]
            self._moved = self._running[key] = _now()
            delay: float | None = None
            try:
                delay = (await self._work(key)).requeue_after
                self._failures.pop(key, None)
            except Exception as error:  # any failure is reported and requeued
                self._failed(key, error)
                count = self._failures[key] = self._failures.get(key, 0) + 1
                backoff = self._away_backoff if isinstance(error, OSError) else self._backoff
                delay = backoff.delay(count)
            del self._running[key]
            if key in self._requeued:
                self._requeued.discard(key)
                self.add((key,))
            elif delay is not None:
                self.add_after(delay, key)


def _now() -> float:
    return asyncio.get_running_loop().time()
