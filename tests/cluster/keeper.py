"""Runs processes for a parent and ends them with it, even if the parent is killed; then removes their folder.

    python keeper.py FOLDER

Each line of standard input is a JSON list: a name and the command to run. Its output goes to FOLDER/NAME.log; when it
ends, FOLDER/NAME.ended says how. When standard input ends, so do the processes, and FOLDER is removed. Nothing that
they hold is worth keeping, so they are killed. On Linux they also end if this process itself is killed.
"""

import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

_PR_SET_PDEATHSIG = 1
_SECONDS_BETWEEN_LOOKS = 0.1


def main(folder: Path) -> None:
    """Runs until standard input ends, or until SIGTERM."""
    signal.signal(signal.SIGTERM, _end)
    children: dict[str, subprocess.Popen[bytes]] = {}
    try:
        _serve(folder, children)
    finally:
        for child in children.values():
            child.kill()
        for child in children.values():
            child.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _serve(folder: Path, children: dict[str, subprocess.Popen[bytes]]) -> None:
    rest = b""
    while True:
        readable, _, _ = select.select([0], [], [], _SECONDS_BETWEEN_LOOKS)
        if readable:
            data = os.read(0, 1 << 16)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                name, argv = json.loads(line)
                children[name] = _start(folder, name, argv)
        for name, child in children.items():
            if child.poll() is not None:
                (folder / f"{name}.ended").write_text(str(child.returncode))


def _start(folder: Path, name: str, argv: list[str]) -> subprocess.Popen[bytes]:
    (folder / f"{name}.ended").unlink(missing_ok=True)
    with (folder / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - safe, for this process has one thread
        )


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _end(_signal: int, _frame: object) -> NoReturn:
    raise SystemExit


if __name__ == "__main__":
    main(Path(sys.argv[1]))
