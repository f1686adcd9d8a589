"""The training log of local mode."""

from pathlib import Path
from typing import Any

import pytest

from linplane_api.task import SyntheticData, Task
from linplane_operator.compile.objects import Object
from linplane_operator.local.training_log import TrainingLog
from linplane_trainer.train import train
from unit.local.builders import config_map


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
