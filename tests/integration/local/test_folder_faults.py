"""A folder that vanishes, a full disk, unreadable files: reported, and nothing is lost."""

import shutil
from pathlib import Path

import pytest

from integration.local.running import Local, route, synthetic, weights
from support import eventually


@pytest.fixture
def serving(local: Local) -> Local:
    """One that serves v1."""
    local.save("v1.yaml", synthetic("rent", "v1"))
    local.save("route.yaml", route("rent", "v1"))
    local.start()
    local.answers_with("rent", "v1")
    eventually(lambda: local.is_ready("modelroutes", "rent"))
    return local


def test_folder_that_vanishes_keeps_everything(serving: Local, tmp_path: Path) -> None:
    shutil.copytree(serving.folder, tmp_path / "copy")
    shutil.rmtree(serving.folder)
    eventually(lambda: "all of it stays as it was" in str(serving.problems()))
    assert serving.predict("rent", [1, 2])["version"] == "v1"
    (tmp_path / "copy").rename(serving.folder)
    eventually(lambda: serving.problems() == [])
    serving.save("v2.yaml", weights("rent", "v2", {"area": 3.0}, 1.0))
    eventually(lambda: serving.is_ready("linearmodels", "rent-v2"))
    assert serving.printed("deleted") == []
    assert len(serving.trained()) == 1


def test_full_disk_is_reported_once_and_retried(serving: Local) -> None:
    serving.limit_files(0)
    serving.save("v2.yaml", weights("rent", "v2", {"area": 3.0}, 1.0))
    serving.save("route.yaml", route("rent", "v2"))
    eventually(lambda: any("manifests: disk: File too large" in text for text in serving.printed("warning")))
    assert serving.predict("rent", [1, 2])["version"] == "v1"
    serving.limit_files(-1)
    serving.answers_with("rent", "v2")
    eventually(lambda: serving.printed("recovered"))
    assert len(serving.printed("warning")) <= 4, serving.text


def test_files_that_cannot_be_read_keep_what_they_held(serving: Local) -> None:
    place = serving.folder / "v1.yaml"
    place.unlink()
    place.symlink_to("nowhere")
    (serving.folder / "folder.yaml").mkdir()
    (serving.folder / "huge.yaml").write_bytes(b"#" * ((8 << 20) + 1))
    (serving.folder / "binary.yaml").write_bytes(bytes(range(256)))
    (serving.folder / "bomb.yaml").write_text(
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{c}: &{c} [{','.join([f'*{b}'] * 9)}]\n" for b, c in zip("abcdefgh", "bcdefghi", strict=True))
    )
    eventually(lambda: len(serving.problems()) == 5)
    found = {problem["file"]: problem["message"] for problem in serving.problems()}
    assert found["v1.yaml"] == "is a symbolic link to nothing; LinearModel rent-v1 stays as accepted before"
    assert found["folder.yaml"] == "is not a regular file"
    assert found["huge.yaml"] == "is larger than 8 MiB"
    assert found["binary.yaml"] == "not UTF-8 (byte 128)"
    assert "aliases" in found["bomb.yaml"]
    serving.save("route.yaml", route("rent", "v1", splitKey={"salt": "a"}))
    eventually(lambda: serving.object("modelroutes", "rent")["metadata"]["generation"] == 2)
    eventually(lambda: serving.is_ready("modelroutes", "rent"))
    assert serving.printed("deleted") == []


def test_object_moved_to_another_file_stays_the_same(serving: Local) -> None:
    uid = serving.object("linearmodels", "rent-v1")["metadata"]["uid"]
    (serving.folder / "v1.yaml").rename(serving.folder / "versions.yaml")
    annotation = "linplane.dev/manifest"

    def place() -> str:
        return str(serving.object("linearmodels", "rent-v1")["metadata"]["annotations"][annotation])

    eventually(lambda: place().endswith("/versions.yaml"))
    assert serving.printed("refused") == serving.printed("deleted") == []
    assert serving.object("linearmodels", "rent-v1")["metadata"]["uid"] == uid
    serving.save("again.yaml", synthetic("rent", "v1", samples=99))
    (problem,) = eventually(serving.problems)
    assert (problem["file"], problem["line"], problem["field"]) == ("again.yaml", 3, "metadata.name")
    assert problem["message"] == "LinearModel rent-v1 is also defined in versions.yaml:1, which takes precedence"
    assert serving.object("linearmodels", "rent-v1")["metadata"]["uid"] == uid


def test_python_module_in_the_working_directory_is_not_imported(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(local.folder)
    (local.folder / "json.py").write_text("raise SystemExit('mine')\n")
    local.save("v1.yaml", synthetic("rent", "v1") + "---\n" + route("rent", "v1"))
    local.start()
    assert local.answers_with("rent", "v1")
