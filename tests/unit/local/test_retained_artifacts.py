"""The artifact of a deleted version stays for ten minutes, and the same recipe takes it back."""

from datetime import timedelta
from pathlib import Path

import pytest

from linplane_api import names
from linplane_api.artifact import Artifact
from linplane_api.kinds import CONFIG_MAP, LINEAR_MODEL
from linplane_api.resources import LinearModelSpec, parse_spec
from linplane_operator.compile.objects import Object
from linplane_operator.compile.training import make_result
from linplane_operator.local.retained_artifacts import RETENTION
from unit.local.builders import NOW, model
from unit.local.watching import Folder

ARTIFACT = Artifact(features=("x",), coefficients=(2.0,), intercept=1.0)


def trained(folder: Folder, **spec: object) -> Object:
    """A version with a sealed artifact, as the operator leaves it."""
    folder.save("model.yaml", model(**spec))
    (body,) = folder.store.all(LINEAR_MODEL)
    result = make_result(body, parse_spec(body, LinearModelSpec))
    sealed = {**result, "immutable": True, "data": {names.ARTIFACT_KEY: ARTIFACT.to_file(None).decode()}}
    folder.store.create(CONFIG_MAP, sealed)
    return folder.store.update(LINEAR_MODEL, body, {**body, "status": {"digest": ARTIFACT.digest}})


def delete(folder: Folder) -> None:
    """Deletes the version's manifest; it is gone."""
    folder.remove("model.yaml")
    folder.look(10)
    assert folder.store.all(LINEAR_MODEL) == folder.store.all(CONFIG_MAP) == []


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty folder."""
    return Folder(tmp_path)


@pytest.mark.parametrize("restart", [False, True])
def test_same_recipe_within_the_retention_is_restored(folder: Folder, tmp_path: Path, restart: bool) -> None:
    before = trained(folder)
    delete(folder)
    if restart:
        folder = Folder(tmp_path)
    folder.now = NOW + RETENTION - timedelta(seconds=1)
    folder.save("model.yaml", model(frozen=True))
    (after,) = folder.store.all(LINEAR_MODEL)
    (artifact,) = folder.store.all(CONFIG_MAP)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert (after["status"], after["spec"]["frozen"]) == ({"digest": ARTIFACT.digest}, True)
    assert artifact["metadata"]["ownerReferences"][0]["uid"] == after["metadata"]["uid"]
    assert artifact["immutable"]
    (printed,) = folder.printed.words("restored")
    assert printed.startswith("rent-v1: was deleted at ")
    assert list((tmp_path / "state/retained").iterdir()) == []


def test_other_recipe_is_another_version_and_the_first_can_be_restored(folder: Folder) -> None:
    before = trained(folder)
    delete(folder)
    folder.save("model.yaml", model(training={"data": {"synthetic": {"samples": 10}}}))
    (other,) = folder.store.all(LINEAR_MODEL)
    assert other["metadata"]["uid"] != before["metadata"]["uid"]
    assert folder.store.all(CONFIG_MAP) == []
    delete(folder)
    folder.save("model.yaml", model())
    assert folder.store.all(LINEAR_MODEL)[0]["metadata"]["uid"] == before["metadata"]["uid"]


@pytest.mark.parametrize("restart", [False, True])
def test_expired_artifact_is_not_restored(folder: Folder, tmp_path: Path, restart: bool) -> None:
    before = trained(folder)
    delete(folder)
    later = NOW + RETENTION
    if restart:
        folder = Folder(tmp_path, later)
    folder.now = later
    folder.retained.expire()
    assert list((tmp_path / "state/retained").iterdir()) == []
    folder.save("model.yaml", model())
    assert folder.store.all(LINEAR_MODEL)[0]["metadata"]["uid"] != before["metadata"]["uid"]
    assert folder.printed.words("restored") == []


def test_version_without_an_artifact_is_not_retained(folder: Folder, tmp_path: Path) -> None:
    folder.save("model.yaml", model())
    delete(folder)
    assert not (tmp_path / "state/retained").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"deletedAt": "2026-01-01", "model": {}, "artifacts": []}'])
def test_damaged_file_is_removed(folder: Folder, tmp_path: Path, text: str) -> None:
    trained(folder)
    delete(folder)
    (path,) = (tmp_path / "state/retained").iterdir()
    path.write_text(text)
    again = Folder(tmp_path)
    assert list((tmp_path / "state/retained").iterdir()) == []
    again.save("model.yaml", model())
    assert again.printed.words("restored") == []


def test_disk_error_is_retried_later(folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = trained(folder)
    delete(folder)

    def full(path: Path, data: bytes) -> None:
        if path.stem == "rent-v1":  # the version; its artifact is written before
            raise OSError(28, "No space left on device")
        path.write_bytes(data)

    with monkeypatch.context() as patch:
        patch.setattr("linplane_operator.local.store.write_atomically", full)
        with pytest.raises(OSError, match="No space"):
            folder.save("model.yaml", model())
    crashed = Folder(tmp_path)
    assert crashed.store.all(CONFIG_MAP) == []  # an orphan has no owner
    for one in (crashed, folder):
        one.look()
        assert one.store.all(LINEAR_MODEL)[0]["metadata"]["uid"] == before["metadata"]["uid"]
        assert len(one.store.all(CONFIG_MAP)) == 1


def test_entry_restored_before_a_crash_is_removed(folder: Folder, tmp_path: Path) -> None:
    trained(folder)
    delete(folder)
    (path,) = (tmp_path / "state/retained").iterdir()
    kept = path.read_bytes()
    folder.save("model.yaml", model())
    path.write_bytes(kept)
    Folder(tmp_path)
    assert not path.exists()
