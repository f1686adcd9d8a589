"""Child processes that the test ends, in place of those that local mode starts."""

import asyncio
import io
from collections.abc import Callable, Sequence
from pathlib import Path


class Process:
    """One that runs until it is ended. `started`: its arguments; `stdin`: what was written to it."""

    def __init__(self, started: Sequence[str]) -> None:
        self.started = list(started)
        self.stdin = io.BytesIO()
        self.returncode: int | None = None
        self._ended = asyncio.Event()

    def end(self, code: int) -> None:
        """Ends it with an exit code."""
        self.returncode = code
        self._ended.set()

    def terminate(self) -> None:
        self.end(-15)

    kill = terminate

    async def wait(self) -> int | None:
        await self._ended.wait()
        return self.returncode

    def after(self, flag: str) -> list[str]:
        """The values of a flag."""
        return [value for name, value in zip(self.started, self.started[1:], strict=False) if name == flag]


class Children(list[Process]):
    """Stands in for `start_child`. `begun` is called with each."""

    def __init__(self, begun: Callable[[Process], None] = lambda _: None) -> None:
        super().__init__()
        self._begun = begun

    async def __call__(self, module: str, args: Sequence[str], log: Path, fds: Sequence[int] = ()) -> Process:
        self.append(Process(args))
        self._begun(self[-1])
        return self[-1]
