"""How the tests start our programs: each by itself, or (see `fork_server`) from a process that has imported them."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol


class Process(Protocol):
    """As much of `subprocess.Popen` as is needed of a process."""

    pid: int
    returncode: int | None

    @property
    def stdin(self) -> IO[bytes] | None: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, sig: int) -> None: ...

    def kill(self) -> None: ...


class Programs(Protocol):
    """Starts programs."""

    def start(
        self, module: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path, fds: Sequence[int] = ()
    ) -> Process:
        """`python -m MODULE ARGUMENTS`, with a pipe as its standard input and `log` as its output. `fds` keep their
        numbers.
        """


class Executed:
    """Each is an interpreter of its own, as in a container."""

    def start(
        self, module: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path, fds: Sequence[int] = ()
    ) -> Process:
        with log.open("ab") as file:
            return subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.PIPE, stdout=file, stderr=file, env=environment, pass_fds=fds,
            )  # fmt: skip
