"""One holder of a file at a time."""

from pathlib import Path
from threading import Thread

import pytest

from linplane_api.locks import is_locked, lock


def test_lock_is_exclusive_until_its_file_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_locked(path)
    with lock(path):
        assert is_locked(path)
        before = _open_files()
        with pytest.raises(BlockingIOError):
            lock(path, wait=False)
        assert _open_files() == before
    assert not is_locked(path)
    lock(path, wait=False).close()


def test_next_holder_waits_and_finds_what_the_first_has_written(tmp_path: Path) -> None:
    path, found = tmp_path / "lock", []

    def second() -> None:
        with lock(path) as file:
            found.append(file.read())

    with lock(path) as file:
        waiting = Thread(target=second, daemon=True)
        waiting.start()
        waiting.join(0.05)
        assert waiting.is_alive()
        file.write(b"first")
    waiting.join(10)
    assert found == [b"first"]


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
