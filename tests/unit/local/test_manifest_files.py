"""ManifestFiles are taken up when they are whole, and each trouble stays a matter of its file."""

import os
from pathlib import Path
from typing import Any

import pytest

from linplane_operator.local.manifest_files import SETTLE_SECONDS, ManifestFiles
from unit.local.builders import Clock


@pytest.fixture
def clock() -> Clock:
    """The clock that files are compared with; far from the files' own times."""
    return Clock()


@pytest.fixture
def files(tmp_path: Path, clock: Clock) -> ManifestFiles:
    """A watched folder."""
    return ManifestFiles(tmp_path, clock)


def kinds(files: ManifestFiles) -> dict[str, list[object]]:
    """The kinds of the objects in each file."""
    return {name: [d.body["kind"] for d in file.documents] for name, file in files.read.items()}


def test_poll_reads_only_manifests_of_this_folder(tmp_path: Path, files: ManifestFiles) -> None:
    for name in ("a.yaml", "b.yml", "c.json", ".hidden.yaml", "d.yaml~", "#e.yaml#", "f.csv", ".g.yaml.swp"):
        (tmp_path / name).write_text("kind: A")
    (tmp_path / "below").mkdir()
    (tmp_path / "below/h.yaml").write_text("kind: A")
    assert files.poll()
    assert sorted(files.read) == ["a.yaml", "b.yml", "c.json"]
    assert not files.poll()


def test_file_is_read_once_it_settles(tmp_path: Path, files: ManifestFiles, clock: Clock) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("kind: A")
    written = path.stat().st_mtime
    for late, read in ((0, False), (SETTLE_SECONDS * 0.9, False), (SETTLE_SECONDS * 1.1, True)):
        clock.now = written + late
        assert files.poll() is read
        assert (files.unsettled == {"a.yaml"}) is not read


def test_file_written_again_keeps_its_objects_until_complete(
    tmp_path: Path, files: ManifestFiles, clock: Clock
) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("kind: A")
    files.poll()
    path.write_text("")
    clock.now = path.stat().st_mtime
    assert not files.poll()
    assert kinds(files) == {"a.yaml": ["A"]}
    clock.now += 1
    assert files.poll()
    assert kinds(files) == {"a.yaml": []}


@pytest.mark.parametrize("seconds", [-3600.0, 3600.0])
def test_file_of_another_clock_is_read(tmp_path: Path, files: ManifestFiles, clock: Clock, seconds: float) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("kind: A")
    os.utime(path, (clock.now + seconds, clock.now + seconds))
    assert files.poll()


def test_problem_names_its_file_and_keeps_its_objects(tmp_path: Path, files: ManifestFiles) -> None:
    for name in ("gone", "folder", "huge", "text", "yaml", "loop", "fine"):
        (tmp_path / f"{name}.yaml").write_text("kind: A")
    files.poll()
    for name in ("gone", "folder", "loop"):
        (tmp_path / f"{name}.yaml").unlink()
    (tmp_path / "gone.yaml").symlink_to("nowhere")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "huge.yaml").write_bytes(b"#" * (9 << 20))
    (tmp_path / "text.yaml").write_bytes(b"kind: A\xff")
    (tmp_path / "yaml.yaml").write_text("kind: A\nkind: [")
    assert files.poll()
    troubles = {name: str(file.problem) for name, file in files.read.items() if file.problem}
    assert troubles == {
        "gone.yaml": "gone.yaml:1: is a symbolic link to nothing",
        "folder.yaml": "folder.yaml:1: is not a regular file",
        "huge.yaml": "huge.yaml:1: is larger than 8 MiB",
        "text.yaml": "text.yaml:1: not UTF-8 (byte 7)",
        "yaml.yaml": "yaml.yaml:2: not YAML: expected the node content, but found '<stream end>'",
        "loop.yaml": "loop.yaml:1: cannot be read: Too many levels of symbolic links",
    }
    assert set(map(tuple, kinds(files).values())) == {("A",)}
    assert not files.poll()


@pytest.mark.parametrize("call", ["stat", "read_bytes"])
def test_file_renamed_during_a_poll_keeps_its_objects(
    tmp_path: Path, files: ManifestFiles, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    old, new = tmp_path / "a.yaml", tmp_path / "b.yaml"
    old.write_text("kind: A")
    assert call == "read_bytes" or files.poll()
    real = getattr(Path, call)

    def rename_first(path: Path, **options: Any) -> Any:
        if path == old and os.path.lexists(old):
            old.rename(new)
        return real(path, **options)

    monkeypatch.setattr(Path, call, rename_first)
    polled = files.poll()
    assert not [file.problem for file in files.read.values() if file.problem]
    assert polled or files.unsettled
    files.poll()
    assert kinds(files) == {"b.yaml": ["A"]}
    assert not files.unsettled


def test_file_that_is_listed_and_never_found_makes_the_folder_unreadable(
    tmp_path: Path, files: ManifestFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.yaml").write_text("kind: A")
    files.poll()
    monkeypatch.setattr(Path, "iterdir", lambda folder: iter([folder / "a.yaml", folder / "ghost.yaml"]))
    assert files.poll()
    assert files.missing == "No such file or directory"
    assert kinds(files) == {"a.yaml": ["A"]}


def test_pipe_does_not_block_other_files(tmp_path: Path, files: ManifestFiles) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "a.yaml").write_text("kind: A")
    files.poll()
    assert kinds(files) == {"a.yaml": ["A"], "pipe.yaml": []}


def test_folder_that_vanishes_keeps_its_files(tmp_path: Path, clock: Clock) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.yaml").write_text("kind: A")
    files = ManifestFiles(folder, clock)
    files.poll()
    folder.rename(tmp_path / "away")
    assert files.poll()
    assert files.missing == "No such file or directory"
    assert not files.poll()
    assert kinds(files) == {"a.yaml": ["A"]}
    (tmp_path / "away").rename(folder)
    assert files.poll()
    assert files.missing == ""


def test_file_saved_with_the_same_objects_is_saved_again(tmp_path: Path, files: ManifestFiles) -> None:
    path = tmp_path / "a.yaml"
    for text, again in (("kind: A", False), ("kind: A # the same", True), ("kind: B", False), ("kind: [", False)):
        path.write_text(text)
        assert files.poll()
        assert files.saved_again == ({"a.yaml"} if again else set())
    assert not files.poll()
    assert files.saved_again == set()
