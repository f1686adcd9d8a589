"""The training Job: `python -m linplane_trainer --task JSON --data-dir DIR --result FILE`.

Exit code 0 with the artifact in FILE; else `error.json` beside it says why, and so does one line on stderr.
"""

import argparse
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, TextIO

from linplane_api.canonical import FormatError
from linplane_api.task import EXIT_BAD_DATA, EXIT_FAILED, Failure, parse_task

from .errors import BadData, TrainerError
from .progress import shown_progress
from .result import FileResult, ResultWriter
from .train import train

MAX_MESSAGE = 1024  # a Failure's
EXIT_SIGTERM = 128 + signal.SIGTERM
EXIT_ORPHANED = 128 + signal.SIGHUP


def timestamp(now: datetime) -> str:
    """RFC 3339, UTC, whole seconds."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def run(task: str, data_folder: Path, writer: ResultWriter, clock: Callable[[], datetime], stderr: TextIO) -> int:
    """Trains, hands back the result or the failure, and gives the exit code. Raises OSError where the result cannot
    be written.
    """
    try:
        with shown_progress("training", stderr) as progress:
            artifact = train(parse_task(task), data_folder, progress)
        writer.succeeded(artifact.to_file(timestamp(clock())))
    except Exception as error:  # the boundary: whatever happens, the one who waits is told
        failure, code = failure_of(error)
        stderr.write(f"training failed: {failure.message}\n")
        writer.failed(failure)
        return code
    stderr.write(f"trained {artifact.digest}\n")
    return 0


def failure_of(error: Exception) -> tuple[Failure, int]:
    """What is handed back for an error, and the exit code. An error that nobody foresaw is told by its type and
    place: its text may hold data.
    """
    if isinstance(error, FormatError):
        return Failure("BadData", f"the task is not understood: {error}"[:MAX_MESSAGE]), EXIT_BAD_DATA
    if isinstance(error, BadData):
        return Failure("BadData", str(error)[:MAX_MESSAGE]), EXIT_BAD_DATA
    if isinstance(error, TrainerError):
        return Failure("TrainingFailed", str(error)[:MAX_MESSAGE]), EXIT_FAILED
    last = traceback.extract_tb(error.__traceback__)[-1:]
    place = "".join(f" at {Path(frame.filename).name}:{frame.lineno}" for frame in last)
    return Failure("TrainingFailed", f"unexpected {type(error).__name__}{place}"), EXIT_FAILED


def exit_with(stream: BinaryIO) -> None:
    """Ends the process when the stream ends, which is when the parent does; writes are atomic, so any moment will do."""

    def wait() -> None:
        while stream.read(1 << 16):
            pass
        os._exit(EXIT_ORPHANED)

    threading.Thread(target=wait, daemon=True, name="exit-with-stdin").start()


def main(arguments: Sequence[str] | None = None) -> int:
    """Reads the command line and runs."""
    parser = argparse.ArgumentParser(prog="linplane_trainer", description="Trains one model version.")
    parser.add_argument("--task", required=True, help="the task, as JSON")
    parser.add_argument("--data-dir", required=True, type=Path, help="the folder that data files are relative to")
    parser.add_argument(
        "--result", required=True, type=Path, help="the artifact file to write; error.json goes beside it"
    )
    parser.add_argument("--exit-with-stdin", action="store_true", help="end when standard input ends")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(EXIT_SIGTERM))  # process 1 of a container ignores it otherwise
    if options.exit_with_stdin:
        exit_with(sys.stdin.buffer)
    return run(options.task, options.data_dir, FileResult(options.result), lambda: datetime.now(UTC), sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
