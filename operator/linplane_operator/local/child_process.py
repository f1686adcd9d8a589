"""Child processes that never outlive this one: a child stops when its standard input is closed."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

MAX_LOG_BYTES = 1 << 20


class StartError(OSError):
    """The operating system refused to start a child: no interpreter, too many arguments, no memory or process left."""


async def start_child(
    module: str, args: Sequence[str], log: Path, fds: Sequence[int] = ()
) -> asyncio.subprocess.Process:
    """Starts `python -m MODULE ARGS` with one BLAS thread; its output is appended to `log`, whose folder must
    exist. Raises StartError, and another OSError if the log cannot be written.
    """
    _make_room(log)
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    with log.open("ab") as output:
        try:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # a json.py in the current directory must not shadow Python's
                "-m",
                module,
                *args,
                stdin=asyncio.subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=environment,
                pass_fds=tuple(fds),
                start_new_session=True,  # a terminal's ^C must reach only this process, which stops them in order
            )
        except OSError as error:
            raise StartError(error.errno, error.strerror, sys.executable) from error


def _make_room(log: Path) -> None:
    if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))


async def stop_child(process: asyncio.subprocess.Process, seconds: float, hurry: asyncio.Event) -> None:
    """Terminates a child, and kills it after `seconds` or on `hurry`."""
    if process.returncode is not None:
        return
    process.terminate()
    waits = [asyncio.create_task(process.wait()), asyncio.create_task(hurry.wait())]
    await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    waits[1].cancel()
    if process.returncode is None:
        process.kill()
    await waits[0]


def format_exit(code: int | None) -> str:
    """An exit code as text."""
    if code is None:
        return "no exit code"
    return f"exit code {code}" if code >= 0 else f"signal {-code} ({signal.strsignal(-code)})"
