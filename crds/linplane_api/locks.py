"""Advisory locks on files, by flock(2): they hold between processes of a machine, and end with their holder."""

import fcntl
import os
from pathlib import Path
from typing import BinaryIO


def lock(path: Path, *, wait: bool = True) -> BinaryIO:
    """Opens a file to read and write, made if it is absent, and locks it until it is closed or the process ends.

    Raises BlockingIOError if another holds it and `wait` is false, and OSError.
    """
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), "r+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise
    return file


def is_locked(path: Path) -> bool:
    """True if another process holds the file's lock, or if that is unknown."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
