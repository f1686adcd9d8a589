"""A version is stored once, whole, and with its line; what a crash leaves, the next training repairs."""

import json
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

import msgspec
import pytest

from linplane_api import training_log
from linplane_api.artifact import parse_artifact, predict
from linplane_api.facts import Facts
from linplane_api.task import SyntheticData, Task
from linplane_trainer.errors import BadData, StoreDamagedError, VersionExistsError
from linplane_trainer.model_store import artifact_path, read_back, train_to_store
from linplane_trainer.train import train

NOON = datetime(2026, 2, 3, 12, 0, 0, 987654, tzinfo=timezone(timedelta(hours=2)))
TASK = Task("penguin-mass", "v1", SyntheticData(50, 2, 0.1))


def store(tmp_path, task=TASK, **options):
    return train_to_store(task, tmp_path / "store", tmp_path, lambda: NOON, **options)


def lines(tmp_path):
    return [json.loads(line) for line in (tmp_path / "store" / "metadata.jsonl").read_bytes().splitlines()]


def test_stored_artifact_predicts(tmp_path):
    """The file is named as the LinearModel would be, and its check rows hold."""
    stored = store(tmp_path)
    assert stored.path == tmp_path / "store" / "penguin-mass-v1.json"
    file = parse_artifact(stored.path.read_bytes())
    assert file == stored.artifact_file
    assert file.trained_at == "2026-02-03T10:00:00Z"
    model = file.artifact
    assert predict(model.coefficients, model.intercept, (1.0, 1.0)) == pytest.approx(4, abs=0.2)
    assert len(model.checks) == 3


def test_log_has_a_line_for_each_training(tmp_path):
    """Version, model, date, coefficients by name, intercept, figures, digest."""
    first = store(tmp_path).artifact_file
    store(tmp_path, Task("penguin-mass", "v2", SyntheticData(60, 1, 0.0), seed=3))
    one, two = lines(tmp_path)
    assert one == {
        "version": "v1",
        "model": "penguin-mass",
        "date": "2026-02-03T10:00:00Z",
        "coefficients": dict(zip(["x1", "x2"], first.artifact.coefficients, strict=True)),
        "intercept": first.artifact.intercept,
        "mse": first.artifact.training.evaluation.mse,
        "r2": first.artifact.training.evaluation.r2,
        "noise": first.artifact.training.noise,
        "samples": first.artifact.training.samples,
        "digest": first.digest,
    }
    assert (two["version"], set(two["coefficients"])) == ("v2", {"x1"})


@pytest.mark.parametrize("facts", [Facts(), None])
def test_line_has_no_r2_about_zero(facts):
    """That of an artifact without intercept of an earlier trainer, which wrote no facts."""
    artifact = train(msgspec.structs.replace(TASK, fit_intercept=False), Path()).artifact
    file = parse_artifact(artifact.to_file("2026-01-01T00:00:00Z", facts))
    line = json.loads(training_log.metadata_line(file, "m", "v"))
    assert line["r2"] == (artifact.training.evaluation.r2 if facts is not None else None)


def test_version_that_exists_is_refused_before_anything_is_read(tmp_path):
    """With the version and its digest in the message; nothing changes."""
    stored = store(tmp_path)
    before = stored.path.read_bytes()
    unreadable = Task("penguin-mass", "v1", SyntheticData(1, 1, 0.0))
    with pytest.raises(VersionExistsError, match="version v1 of penguin-mass exists already") as caught:
        store(tmp_path, unreadable)
    assert stored.artifact_file.digest in str(caught.value)
    assert stored.path.read_bytes() == before
    assert len(lines(tmp_path)) == 1


def test_version_can_be_replaced(tmp_path):
    """The lines keep both."""
    store(tmp_path)
    other = store(tmp_path, Task("penguin-mass", "v1", SyntheticData(50, 2, 0.1), seed=9), replace=True)
    assert parse_artifact(other.path.read_bytes()).digest == other.artifact_file.digest
    assert [line["digest"] for line in lines(tmp_path)][1] == other.artifact_file.digest
    assert len({line["digest"] for line in lines(tmp_path)}) == 2


def test_training_that_fails_leaves_no_trace(tmp_path):
    """Neither file nor line."""
    with pytest.raises(BadData):
        store(tmp_path, Task("penguin-mass", "v1", SyntheticData(1, 1, 0.0)))
    assert not (tmp_path / "store").exists()


def test_crash_between_file_and_line_is_repaired(tmp_path):
    """The next training of the version finds the file, and writes its line."""
    store(tmp_path)
    path = tmp_path / "store" / "metadata.jsonl"
    complete = path.read_bytes()
    path.unlink()
    with pytest.raises(VersionExistsError):
        store(tmp_path)
    assert path.read_bytes() == complete


@pytest.mark.parametrize("kept", [1, 40, -1])
@pytest.mark.parametrize("before", [0, 1])
def test_torn_last_line_is_repaired(tmp_path, kept, before):
    """A partial line of a crash is removed; a line that lacks only its newline stays."""
    file = store(tmp_path).artifact_file
    path = tmp_path / "store" / "metadata.jsonl"
    line = path.read_bytes()
    path.write_bytes(line * before + line[:kept])
    training_log.append_metadata(path, file, "penguin-mass", "v1")
    assert path.read_bytes() == line * (before + (kept == -1) + 1)


def test_torn_line_longer_than_a_read(tmp_path):
    """As many features may make it."""
    file = store(tmp_path).artifact_file
    path = tmp_path / "store" / "metadata.jsonl"
    line = path.read_bytes()
    path.write_bytes(line + b'{"coefficients":{"' + b"x" * (3 * training_log.TAIL_BYTES))
    training_log.append_metadata(path, file, "penguin-mass", "v1")
    assert path.read_bytes() == line * 2


def test_writers_wait_for_each_other(tmp_path):
    """Forty lines from eight at once: none is torn or lost."""
    file = store(tmp_path).artifact_file
    path = tmp_path / "shared.jsonl"

    def append():
        for _ in range(5):
            training_log.append_metadata(path, file, "m", "v1")

    threads = [threading.Thread(target=append) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes().splitlines(keepends=True) == [training_log.metadata_line(file, "m", "v1")] * 40


def test_trainings_of_one_version_have_one_winner(tmp_path):
    """The other is refused, though both began before either was stored."""
    barrier = threading.Barrier(2)
    results = []

    def clock():
        barrier.wait(10)
        return NOON

    def run():
        try:
            train_to_store(TASK, tmp_path / "store", tmp_path, clock)
            results.append("stored")
        except VersionExistsError:
            results.append("refused")

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["refused", "stored"]
    assert len(lines(tmp_path)) == 1


@pytest.mark.parametrize(("end", "old", "new"), [(-40, b"", b""), (0, b"", b""), (None, b'"x1"', b'"x9"')])
def test_damaged_file_is_noticed(tmp_path, end, old, new):
    """By its form, its digest, or the answers of its check rows."""
    path = store(tmp_path).path
    path.write_bytes(path.read_bytes()[:end].replace(old or b"\n", new))
    with pytest.raises(StoreDamagedError, match=r"penguin-mass-v1.json is damaged"):
        read_back(path)


def test_file_is_named_as_the_resource(tmp_path):
    """MODEL-VERSION."""
    assert artifact_path(tmp_path, "a", "v1.2").name == "a-v1.2.json"
