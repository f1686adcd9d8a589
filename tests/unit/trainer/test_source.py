"""Which files a task may name."""

import os

import pytest

from linplane_api.task import FileData, Task
from linplane_trainer.errors import BadData, RefusedError, TrainingFailed
from linplane_trainer.train import train

ROWS = "a,y\n1,2\n2,4.5\n3,6\n4,7\n"


def learn(folder, path):
    return train(Task("m", "v1", FileData(str(path)), target="y", holdout_percent=0), folder).artifact


@pytest.fixture
def folder(tmp_path):
    """A data folder as kubelet mounts a ConfigMap, and a file outside of it."""
    data = tmp_path / "data"
    (data / "..2026").mkdir(parents=True)
    (data / "..2026" / "rows.csv").write_text(ROWS)
    (data / "..data").symlink_to("..2026")
    (data / "rows.csv").symlink_to("..data/rows.csv")
    (tmp_path / "token").write_text(ROWS)
    return data


def test_relative_path_is_one_of_the_folder(folder, tmp_path):
    """Through links within the folder too; an absolute one stands for itself."""
    assert learn(folder, "rows.csv").training.samples == 4
    assert learn(folder, tmp_path / "token").training.samples == 4


@pytest.mark.parametrize("path", ["../token", "..data/../../token", "link", "away/token"])
def test_relative_path_stays_in_the_folder(folder, tmp_path, path):
    """Neither dots nor links lead out of it."""
    (folder / "link").symlink_to(tmp_path / "token")
    (folder / "away").symlink_to(tmp_path)
    with pytest.raises(RefusedError, match="out of the data folder"):
        learn(folder, path)


@pytest.mark.parametrize("path", ["none.csv", "rows.csv/x", "", "a\0b", "circle", "x" * 300])
def test_file_that_does_not_exist_is_an_error(folder, path):
    """Trying again gives the same answer."""
    (folder / "circle").symlink_to("circle")
    with pytest.raises(BadData):
        learn(folder, path)


def test_file_that_is_not_regular_is_an_error(folder):
    """A pipe would wait for ever."""
    os.mkfifo(folder / "pipe")
    for path in ("pipe", "/dev/zero"):
        with pytest.raises(BadData, match="not a regular file"):
            learn(folder, path)


def test_file_that_cannot_be_read_is_a_failure(folder):
    """Transient: a disk, or a permission that may be granted."""
    with pytest.raises(TrainingFailed, match="cannot be read"):
        learn(folder, "/proc/self/mem")
