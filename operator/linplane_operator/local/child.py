"""A child process that never outlives us: it ends when its standard input does, however we end."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path


async def start_child(
    module: str, args: Sequence[str], log: Path, fds: Sequence[int] = ()
) -> asyncio.subprocess.Process:
    """Starts `python -m MODULE ARGS` with one BLAS thread; what it prints goes to `log`. Raises OSError."""
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            *args,
            stdin=asyncio.subprocess.PIPE,
            stdout=output,
            stderr=output,
            env=environment,
            pass_fds=tuple(fds),
            start_new_session=True,  # a terminal's ^C is for the loop, which then ends its children in order
        )


async def stop_child(process: asyncio.subprocess.Process, seconds: float) -> None:
    """Asks a child to end, and after `seconds` makes it."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), seconds)
    except TimeoutError:
        process.kill()
        await process.wait()
