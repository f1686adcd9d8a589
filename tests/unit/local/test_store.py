"""The store has an API server's habits, and outlives damage."""

import json
from pathlib import Path

import pytest

from linplane_api.kinds import CONFIG_MAP, JOB, LINEAR_MODEL, MODEL_ROUTE
from linplane_operator.cluster_client import ConflictError
from unit.local.builders import Changes, body, config_map, make_store, model, owned, route


def test_created_object_gets_the_metadata_of_an_api_server(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    made = store.create(LINEAR_MODEL, model())
    metadata = made["metadata"]
    assert (metadata["namespace"], metadata["generation"], metadata["resourceVersion"]) == ("default", 1, "1")
    assert metadata["creationTimestamp"] == "2026-01-02T03:04:05Z"
    assert len(metadata["uid"]) == 36
    assert json.loads((tmp_path / "objects/linearmodels/rent-v1.json").read_text()) == made
    with pytest.raises(ConflictError):
        store.create(LINEAR_MODEL, model())


def test_generation_increases_with_the_spec_and_not_with_the_status(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    first = store.create(MODEL_ROUTE, route())
    second = store.update(MODEL_ROUTE, first, {**first, "status": {"a": 1}})
    third = store.update(MODEL_ROUTE, second, {**second, "spec": route(version="v2")["spec"]})
    assert [o["metadata"]["generation"] for o in (first, second, third)] == [1, 1, 2]
    assert [o["metadata"]["resourceVersion"] for o in (first, second, third)] == ["1", "2", "3"]
    assert {o["metadata"]["uid"] for o in (first, second, third)} == {first["metadata"]["uid"]}


def test_equal_content_writes_nothing(tmp_path: Path) -> None:
    changes = Changes()
    store = make_store(tmp_path, changes)
    first = store.create(MODEL_ROUTE, route())
    assert store.update(MODEL_ROUTE, first, {**first}) is first
    assert len(changes) == 1


@pytest.mark.parametrize("part", [{"data": {}}, {"binaryData": {"a": "aGk="}}, {"immutable": False}])
def test_immutable_config_map_never_changes(tmp_path: Path, part: dict[str, object]) -> None:
    store = make_store(tmp_path)
    sealed = store.create(CONFIG_MAP, config_map(immutable=True))
    with pytest.raises(ConflictError, match="field is immutable when `immutable` is set"):
        store.update(CONFIG_MAP, sealed, {**sealed, **part})
    assert store.update(CONFIG_MAP, sealed, {**sealed, "metadata": {**sealed["metadata"], "labels": {"a": "b"}}})


def test_deletion_removes_owned_objects_and_no_other_uid(tmp_path: Path) -> None:
    changes = Changes()
    store = make_store(tmp_path, changes)
    owner = store.create(LINEAR_MODEL, model())
    store.create(JOB, body(JOB, "job", metadata=owned(owner)))
    store.create(CONFIG_MAP, config_map("result", metadata=owned(owner)))
    store.create(CONFIG_MAP, config_map("other"))
    store.delete(LINEAR_MODEL, {**owner, "metadata": {**owner["metadata"], "uid": "another"}})
    assert store.get(LINEAR_MODEL, "rent-v1")
    store.delete(LINEAR_MODEL, owner)
    assert [name for _, name, what in changes if what == "deleted"] == ["rent-v1", "result", "job"]
    assert [path.name for path in tmp_path.rglob("*.json")] == ["other.json"]


def test_restart_loads_everything_and_continues_the_versions(tmp_path: Path) -> None:
    first = make_store(tmp_path).create(LINEAR_MODEL, model())
    store = make_store(tmp_path)
    assert store.load() == {}
    assert store.get(LINEAR_MODEL, "rent-v1") == first
    assert store.create(MODEL_ROUTE, route())["metadata"]["resourceVersion"] == "2"


def test_orphan_of_a_crash_is_deleted_at_the_next_start(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    owner = store.create(LINEAR_MODEL, model())
    store.create(JOB, body(JOB, "job", metadata=owned(owner)))
    store.create(CONFIG_MAP, config_map("mine"))
    (tmp_path / "objects/linearmodels/rent-v1.json").unlink()
    store = make_store(tmp_path)
    store.load()
    assert store.all(JOB) == []
    assert len(store.all(CONFIG_MAP)) == 1


DAMAGE = ["", "{", "[]", "7", '"text"', "{}", '{"metadata": []}', '{"metadata": {"resourceVersion": "x"}}', "\x00" * 9]


@pytest.mark.parametrize("text", DAMAGE)
def test_damaged_object_is_set_aside_and_recreated_with_its_uid(tmp_path: Path, text: str) -> None:
    store = make_store(tmp_path)
    owner = store.create(LINEAR_MODEL, model())
    store.create(CONFIG_MAP, config_map("artifact", metadata=owned(owner), immutable=True))
    (tmp_path / "objects/linearmodels/rent-v1.json").write_text(text)
    store = make_store(tmp_path)
    place = tmp_path / "damaged/linearmodels-rent-v1.json"
    assert store.load() == {("LinearModel", "rent-v1"): place}
    assert place.read_text() == text
    assert store.get(LINEAR_MODEL, "rent-v1") is None
    assert store.create(LINEAR_MODEL, model())["metadata"]["uid"] == owner["metadata"]["uid"]
    assert len(store.all(CONFIG_MAP)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "ModelRoute"},
        {"metadata": {"name": "other"}},
        {"spec": {"model": 7}},
    ],
)
def test_damaged_includes_json_of_another_object(tmp_path: Path, change: dict[str, object]) -> None:
    made = make_store(tmp_path).create(LINEAR_MODEL, model())
    if "metadata" in change:
        change = {"metadata": {**made["metadata"], "name": "other"}}
    (tmp_path / "objects/linearmodels/rent-v1.json").write_text(json.dumps({**made, **change}))
    assert len(make_store(tmp_path).load()) == 1


def test_damaged_file_overwrites_no_earlier_one(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / "objects/linearmodels").mkdir(parents=True, exist_ok=True)
        (tmp_path / "objects/linearmodels/a-v1.json").write_text(str(number))
        make_store(tmp_path).load()
    assert sorted(path.read_text() for path in (tmp_path / "damaged").iterdir()) == ["0", "1", "2"]


def test_damaged_includes_a_folder_instead_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "objects/jobs/job.json").mkdir(parents=True)
    assert make_store(tmp_path).load() == {("Job", "job"): tmp_path / "damaged/jobs-job.json"}


def test_disk_error_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = Changes()
    store = make_store(tmp_path, changes)
    first = store.create(MODEL_ROUTE, route())

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("linplane_operator.local.store.write_atomically", full)
    with pytest.raises(OSError, match="No space"):
        store.update(MODEL_ROUTE, first, {**first, "spec": route(version="v2")["spec"]})
    with pytest.raises(OSError, match="No space"):
        store.create(LINEAR_MODEL, model())
    assert store.get(MODEL_ROUTE, "rent") == first
    assert store.get(LINEAR_MODEL, "rent-v1") is None
    assert len(changes) == 1
