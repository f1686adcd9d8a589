"""An event loop whose clock jumps to the next timer, so that delays take no time and are exact."""

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which time passes only while nothing can run."""

    _scheduled: list[asyncio.TimerHandle]  # BaseEventLoop's own
    _ready: Collection[asyncio.Handle]

    def __init__(self) -> None:
        super().__init__()
        self._virtual = 0.0

    def time(self) -> float:
        return self._virtual

    def _run_once(self) -> None:
        waiting = [timer.when() for timer in self._scheduled if not timer.cancelled()]
        if not self._ready and waiting:
            self._virtual = max(self._virtual, min(waiting))
        super()._run_once()  # type: ignore[misc]


def run_virtually(work: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine on a new VirtualLoop and returns its result."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
