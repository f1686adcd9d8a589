"""The small parts of local mode: ConfigMaps as an API server judges them, the record, the state folder, hints."""

from pathlib import Path
from typing import Any

import pytest

from linplane_api.artifact import Artifact, with_checks
from linplane_api.kinds import CONFIG_MAP, LINEAR_MODEL, MODEL_SERVER
from linplane_api.routing import RouteDocument, ServedVersion, SplitKey, make_entry
from linplane_api.task import SyntheticData, Task
from linplane_operator.compile.objects import Object
from linplane_operator.local.admission import ignored_fields, validate_config_map
from linplane_operator.local.child_process import format_exit
from linplane_operator.local.console_events import curl_line
from linplane_operator.local.state_dir import StateDir
from linplane_operator.local.training_log import TrainingLog
from linplane_trainer.train import train
from unit.local.builders import body, config_map, make_store, model, route


@pytest.mark.parametrize(
    ("change", "field", "part"),
    [
        ({"date": {}}, "date", 'unknown field "date"'),
        ({"metadata": None}, "metadata.name", "Required value"),
        ({"metadata": {"name": "A b"}}, "metadata.name", "a lowercase RFC 1123 subdomain"),
        ({"metadata": {"name": "a" * 254}}, "metadata.name", "a lowercase RFC 1123 subdomain"),
        ({"metadata": {"name": "linplane-routing-default"}}, "metadata.name", "are reserved"),
        ({"metadata": {"name": "a", "labels": {"a": 1}}}, "metadata.labels", "a mapping of text"),
        ({"metadata": {"name": "a", "annotations": []}}, None, ""),
        ({"immutable": "yes"}, "immutable", "true or false"),
        ({"data": ["a"]}, "data", "a mapping of text"),
        ({"data": {"a": 1}}, "data.a", "quote it"),
        ({"data": {"a/b": "1"}}, "data.a/b", "a key is letters"),
        ({"data": {"..": "1"}}, "data...", "a key is letters"),
        ({"data": {"a\n": "1"}}, "data.a\n", "a key is letters"),
        ({"binaryData": {"b": "!"}}, "binaryData.b", "base64"),
        ({"binaryData": {"a": "aGk="}}, "binaryData.a", "is also a key of data"),
        ({"data": {"a": "é" * (1 << 19)}}, None, ""),
        ({"data": {"a": "é" * (1 << 19), "b": "1"}}, "data", "Too long: may not be more than 1048576 bytes"),
        ({"data": None, "binaryData": {"b": "aGk="}, "immutable": True}, None, ""),
    ],
)  # fmt: skip
def test_config_map_problems(change: dict[str, Any], field: str | None, part: str) -> None:
    found = validate_config_map({**config_map(), **change})
    assert [place for place, _ in found] == ([field] if field else [])
    assert all(part in message for _, message in found)


def sealed(version: str = "v1", **change: Any) -> Object:
    """A ConfigMap with the artifact of a training."""
    task = Task(model="rent", version=version, data=SyntheticData(samples=9, feature_count=1, noise=0.1))
    text = train(task, Path()).to_file("2026-01-01T00:00:00Z").decode()
    labels = {"linplane.dev/model": "rent", "linplane.dev/version": version}
    parts = {"immutable": True, "data": {"model.json": text}, "metadata": {"labels": labels}, **change}
    return config_map("artifact", **parts)


def test_training_log_has_each_training_once_over_restarts(tmp_path: Path) -> None:
    path = tmp_path / "metadata.jsonl"
    for _ in range(2):
        record = TrainingLog(path)
        for version in ("v1", "v2", "v1"):
            record.note(sealed(version))
        record.write()
    assert len(path.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    "change", [{"immutable": False}, {"metadata": {}}, {"data": {}}, {"data": {"model.json": "{"}}]
)
def test_training_log_omits_other_objects(tmp_path: Path, change: dict[str, Any]) -> None:
    record = TrainingLog(tmp_path / "metadata.jsonl")
    record.note(sealed(**change))
    record.write()
    assert not (tmp_path / "metadata.jsonl").exists()


def test_training_log_retries_after_a_disk_error(tmp_path: Path) -> None:
    record = TrainingLog(tmp_path / "folder" / "metadata.jsonl")
    (tmp_path / "folder").touch()
    record.note(sealed())
    with pytest.raises(OSError, match="Not a directory"):
        record.write()
    (tmp_path / "folder").unlink()
    (tmp_path / "folder").mkdir()
    record.write()
    assert (tmp_path / "folder" / "metadata.jsonl").exists()


def test_sweep_removes_only_temporary_files_of_a_killed_process(tmp_path: Path) -> None:
    state_dir = StateDir(tmp_path)
    kept = [state_dir.object_file(LINEAR_MODEL, "a-v1"), tmp_path / ".gitignore", tmp_path / "servers/default/log"]
    gone = [
        tmp_path / ".problems.json.abcd1234",
        tmp_path / "objects/linearmodels/.a-v1.json.x_y_z_00",
        tmp_path / "servers/default/report-pod.json",
    ]
    for path in (*kept, *gone):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for name in ("old", "new"):
        (state_dir.job(name) / "data").mkdir(parents=True)
    state_dir.sweep()
    state_dir.drop_jobs({"new"})
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(kept)
    assert [path.name for path in state_dir.jobs.iterdir()] == ["new"]


def test_exit_codes_as_text() -> None:
    assert format_exit(3) == "exit code 3"
    assert format_exit(-9) == "signal 9 (Killed)"
    assert format_exit(None) == "no exit code"


def test_ignored_fields_of_a_server_and_a_training() -> None:
    assert ignored_fields(MODEL_SERVER, body(MODEL_SERVER, "default", spec={"replicas": 2})) == []
    assert ignored_fields(MODEL_SERVER, body(MODEL_SERVER, "default", spec={"image": "a", "replicas": 9})) == [
        "spec.image has no effect in local mode",
        "spec.replicas has no effect in local mode",
    ]
    assert ignored_fields(LINEAR_MODEL, model()) == []


def test_hint_is_a_request_that_the_route_answers(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    ready = {**route(), "status": {"url": "http://127.0.0.1:8080/routes/rent"}}
    assert curl_line(ready, store) == ""

    def routed(*features: str) -> str:
        made = with_checks(Artifact(features, (2.0,) * len(features), 1.0))
        served = ServedVersion(made.digest, made.features, made.coefficients, made.intercept, made.checks)
        document = RouteDocument("rent", "rent", "v1", (), SplitKey("rent"), {"v1": served}, {"v1": features})
        data = {"route.rent": make_entry(document, 1).to_bytes().decode(), "sequence": "1"}
        before = store.get(CONFIG_MAP, "linplane-routing-default")
        wanted = config_map("linplane-routing-default", data=data)
        store.update(CONFIG_MAP, before, wanted) if before else store.create(CONFIG_MAP, wanted)
        return curl_line(ready, store)

    line = routed("area", "größe")
    assert line.startswith("curl http://127.0.0.1:8080/routes/rent/predict -H content-type:application/json -d '{")
    assert '"größe": ' in line
    assert routed("it's") == ""
    assert routed(*(f"x{i}" for i in range(9))) == ""
