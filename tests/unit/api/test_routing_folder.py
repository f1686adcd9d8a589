"""A routing folder is swapped atomically: a concurrent reader gets one state or an error to try again."""

import threading
from pathlib import Path

import pytest

from linplane_api.canonical import FormatError
from linplane_api.routing import RoutingMap
from linplane_api.routing_folder import current_state, read_routing, write_routing


def _routing(sequence: int, routes: int = 20) -> RoutingMap:
    return RoutingMap(f"uid-{sequence}", sequence, {f"r{i}": f"document {sequence}" for i in range(routes)})


def _read(path: Path) -> RoutingMap:
    state = current_state(path)
    assert state
    return read_routing(path, state)


def test_state_that_is_written_is_read(tmp_path: Path) -> None:
    assert current_state(tmp_path / "new") is None
    for sequence in range(3):
        write_routing(tmp_path / "new", _routing(sequence))
        assert _read(tmp_path / "new") == _routing(sequence)


def test_write_makes_another_state_and_leaves_no_old_one(tmp_path: Path) -> None:
    states = set()
    for sequence in range(5):
        write_routing(tmp_path, _routing(sequence))
        states.add(current_state(tmp_path))
        assert sorted(path.name for path in tmp_path.iterdir()) == ["..data", current_state(tmp_path)]
    assert len(states) == 5


def test_files_that_stay_the_same_are_not_written_again(tmp_path: Path) -> None:
    first = RoutingMap("uid", 1, {"a": "document", "b": "document"})
    write_routing(tmp_path, first)
    files = {path.name: path.stat().st_ino for path in (tmp_path / "..data").iterdir()}
    second = RoutingMap("uid", 2, {"a": "document", "b": "another"})
    write_routing(tmp_path, second, first)
    now = {path.name: path.stat().st_ino for path in (tmp_path / "..data").iterdir()}
    assert _read(tmp_path) == second
    assert {name for name in files if now[name] == files[name]} == {"route.a", "uid"}
    (tmp_path / "..data" / "route.a").unlink()
    write_routing(tmp_path, first, second)
    assert _read(tmp_path) == first, "one that is gone is written"


def test_concurrent_reader_sees_whole_states_that_only_go_forward(tmp_path: Path) -> None:
    write_routing(tmp_path, _routing(0))
    done = threading.Event()
    seen: list[int] = []
    broken: list[str] = []

    def read_on() -> None:
        while not done.is_set():
            state = current_state(tmp_path)
            if state is None:
                broken.append("there was no state")
                continue
            try:
                routing = read_routing(tmp_path, state)
            except OSError:
                continue  # swapped meanwhile
            except FormatError as error:
                broken.append(str(error))
                continue
            if routing != _routing(routing.sequence):
                broken.append(f"half of {routing.sequence}")
            seen.append(routing.sequence)

    readers = [threading.Thread(target=read_on) for _ in range(2)]
    for reader in readers:
        reader.start()
    for sequence in range(1, 200):
        write_routing(tmp_path, _routing(sequence))
    done.set()
    for reader in readers:
        reader.join()
    assert broken == []
    assert len(seen) > 10


def test_state_that_is_being_removed_is_not_read(tmp_path: Path) -> None:
    """The old files go one by one: without a second look, the rest of them would pass for a state of fewer routes."""
    write_routing(tmp_path, _routing(1))
    state = current_state(tmp_path)
    assert state
    old = tmp_path / state
    kept = {path.name: path.read_text() for path in old.iterdir()}
    write_routing(tmp_path, _routing(2))
    old.mkdir()
    for name in ("sequence", "uid", "route.r1"):
        (old / name).write_text(kept[name])
    with pytest.raises(OSError, match="meanwhile"):
        read_routing(tmp_path, state)


def test_crash_before_the_swap_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_routing(tmp_path, _routing(1))

    def crash(self: Path, target: Path) -> None:
        raise RuntimeError("the power is gone")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", crash)
        with pytest.raises(RuntimeError):
            write_routing(tmp_path, _routing(2))
    assert _read(tmp_path) == _routing(1)
    write_routing(tmp_path, _routing(3))
    assert _read(tmp_path) == _routing(3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["..data", current_state(tmp_path)]


@pytest.mark.parametrize(("name", "data"), [("route.r1", b"\xff"), ("sequence", b"x"), ("sequence", b"")])
def test_damaged_file_is_reported(tmp_path: Path, name: str, data: bytes) -> None:
    write_routing(tmp_path, _routing(1))
    (tmp_path / "..data" / name).write_bytes(data)
    with pytest.raises(FormatError, match=name):
        _read(tmp_path)
