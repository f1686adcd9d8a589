"""Child processes."""

import asyncio
import errno
import sys
from pathlib import Path

import pytest

from linplane_operator.local.child_process import StartError, format_exit, start_child


def start(log: Path, *args: str) -> None:
    """Starts a trainer."""
    asyncio.run(start_child("linplane_trainer", args, log))


def test_start_refused_by_the_system_is_a_start_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the interpreter, whatever was wrong with the start."""
    with pytest.raises(StartError) as too_many:
        start(tmp_path / "log", "x" * (1 << 23))
    assert (too_many.value.errno, too_many.value.filename) == (errno.E2BIG, sys.executable)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(StartError) as missing:
        start(tmp_path / "log")
    assert (missing.value.errno, missing.value.filename) == (errno.ENOENT, str(tmp_path / "python"))


def test_log_that_cannot_be_written_is_no_start_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="missing"):
        start(tmp_path / "missing/log")


def test_exit_codes_as_text() -> None:
    assert format_exit(3) == "exit code 3"
    assert format_exit(-9) == "signal 9 (Killed)"
    assert format_exit(None) == "no exit code"
