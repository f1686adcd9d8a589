"""The training Job: `python -m linplane_trainer --task JSON --data-dir DIR --result FILE|configmap:NAME`.

Exits with 0 and the artifact in FILE, or under `model.json` of the ConfigMap; else `error.json` next to it says why,
and so does one line on stderr.
"""

import argparse
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from linplane_api import logs
from linplane_api.canonical import FormatError
from linplane_api.task import EXIT_BAD_DATA, EXIT_FAILED, EXIT_UNREACHABLE, EXIT_UNREPORTED, Failure, parse_task
from linplane_api.timing import rfc3339

from .cpus import thread_count
from .data.credentials import read_credentials, receive_credentials
from .errors import BadData, MissingFileError, ResultLostError, TooLargeError, TrainerError, UnreachableError
from .progress import progress_bar
from .result import FileResult, ResultWriter
from .train import train

MAX_MESSAGE = 1024  # a Failure's
EXIT_ORPHANED = 128 + signal.SIGHUP


def run(  # noqa: PLR0913 (what varies is a parameter)
    task: str,
    data_folder: Path,
    writer: ResultWriter,
    clock: Callable[[], datetime],
    stderr: TextIO,
    *,
    data_name: str = "",
    credentials: Callable[[], Mapping[str, str]] = dict,
    threads: int = 1,
) -> int:
    """Trains, writes the result or the failure, and returns the exit code. If neither can be written, stderr says
    so. `data_name` is what users call the data folder; `credentials` reads the keys of a Secret;
    `threads` as for `train`.
    """
    try:
        with progress_bar("training", stderr) as progress:
            trained = train(parse_task(task), data_folder, progress, credentials=credentials(), threads=threads)
        writer.write_artifact(trained.to_file(rfc3339(clock())))
    except Exception as error:  # the boundary: every failure is reported
        if isinstance(error, MissingFileError) and data_name:
            error = MissingFileError(error.path, data_name)
        failure, code = failure_of(error)
        stderr.write(f"training failed: {error if isinstance(error, BadData) else failure.message}\n")
        try:
            writer.write_failure(failure)
        except (ResultLostError, OSError) as lost:
            stderr.write(f"{_lost_text(lost)}\n")
            return EXIT_UNREACHABLE if isinstance(lost, UnreachableError) else EXIT_UNREPORTED
        return code
    stderr.writelines(f"warning: {warning.reason}: {warning.message}\n" for warning in trained.facts.warnings)
    stderr.write(f"trained {trained.artifact.digest}\n")
    return 0


def _lost_text(error: Exception) -> str:
    if isinstance(error, OSError):  # its text holds a path
        return f"the failure cannot be written: {error.strerror or type(error).__name__}"
    return str(error)


def failure_of(error: Exception) -> tuple[Failure, int]:
    """The Failure for an error, and the exit code.

    An unexpected error is reported by its type and place only: its text may hold data.
    """
    if isinstance(error, FormatError):
        return Failure("BadData", f"the task is not understood: {error}"[:MAX_MESSAGE]), EXIT_BAD_DATA
    if isinstance(error, BadData):
        return Failure("BadData", error.brief[:MAX_MESSAGE]), EXIT_BAD_DATA
    if isinstance(error, TooLargeError):
        return Failure("TrainingFailed", str(error)[:MAX_MESSAGE]), EXIT_BAD_DATA
    if isinstance(error, TrainerError):
        return Failure("TrainingFailed", str(error)[:MAX_MESSAGE]), EXIT_FAILED
    last = traceback.extract_tb(error.__traceback__)[-1:]
    place = "".join(f" at {Path(frame.filename).name}:{frame.lineno}" for frame in last)
    return Failure("TrainingFailed", f"unexpected {type(error).__name__}{place}"), EXIT_FAILED


def exit_at_end_of(handle: int) -> None:
    """Ends the process at the end of a file descriptor, as of a pipe whose writer ended: a child ends with its parent.

    Writes are atomic, so it may happen at any time.
    """

    def wait() -> None:
        while os.read(handle, 1 << 12):  # not a buffered stream: that would hold a lock at interpreter exit
            pass
        os._exit(EXIT_ORPHANED)

    threading.Thread(target=wait, daemon=True, name="exit-with-stdin").start()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="linplane_trainer", description="Trains one model version.")
    parser.add_argument(
        "--task", action="append", required=True, help="the task, as JSON; repeated, these are its parts in order"
    )
    parser.add_argument("--data-dir", required=True, type=Path, help="the folder that data files are relative to")
    parser.add_argument(
        "--data-name", metavar="NAME", default="", help="the name of that folder in messages, as `claim rows`"
    )
    parser.add_argument(
        "--credentials-dir",
        type=Path,
        metavar="DIR",
        help="the folder with the keys of the data's Secret, a file for each",
    )
    parser.add_argument(
        "--result",
        required=True,
        metavar="FILE|configmap:NAME",
        help="the artifact file to write, or error.json in its folder; or the ConfigMap to write either to",
    )
    group = parser.add_argument_group("for a ConfigMap")
    group.add_argument("--namespace", metavar="NAME", help="its namespace (default: the service account's)")
    group.add_argument("--api-url", metavar="URL", help="the API server (default: that of this pod's cluster)")
    group.add_argument("--api-ca", type=Path, metavar="FILE", help="the CA certificate to verify it with")
    group.add_argument("--api-token-file", type=Path, metavar="FILE", help="the token to authenticate with")
    parser.add_argument(
        "--credentials-stdin",
        action="store_true",
        help="take the keys of the data's Secret from standard input: JSON, a line",
    )
    parser.add_argument("--exit-with-stdin", action="store_true", help="end when standard input ends")
    parser.add_argument(
        "--log-level", choices=logs.LEVELS, default="info", help="lowest level that is logged (default %(default)s)"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses the command line and runs."""
    parser = _parser()
    options = parser.parse_args(arguments)
    logs.configure(level=logs.LEVELS[options.log_level])
    for number in (signal.SIGTERM, signal.SIGINT):  # process 1 of a container ignores SIGTERM otherwise
        signal.signal(number, lambda received, _: os._exit(128 + received))
    received = receive_credentials(sys.stdin.fileno()) if options.credentials_stdin else {}
    folder = options.credentials_dir
    if options.exit_with_stdin:
        exit_at_end_of(sys.stdin.fileno())
    try:
        writer = _writer(options)
    except ValueError as error:
        parser.error(str(error))
    return run(
        "".join(options.task),
        options.data_dir,
        writer,
        lambda: datetime.now(UTC),
        sys.stderr,
        data_name=options.data_name,
        credentials=lambda: received if folder is None else read_credentials(folder),
        threads=thread_count(),
    )


def _writer(options: argparse.Namespace) -> ResultWriter:
    """The writer for the arguments. Raises ValueError if they are incomplete."""
    kind, separator, name = options.result.partition(":")
    if not separator or kind != "configmap":
        return FileResult(Path(options.result))
    from linplane_api.api_access import api_access  # noqa: PLC0415 - local mode does without

    from .configmap_result import ConfigMapResult  # noqa: PLC0415

    access = api_access(os.environ, options.api_url, options.api_ca, options.api_token_file, options.namespace)
    return ConfigMapResult(access, name)


if __name__ == "__main__":
    sys.exit(main())
