"""A folder of trained versions: `MODEL-VERSION.json` for each, and `metadata.jsonl` with one line for each training."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from linplane_api.artifact import ArtifactFile, parse_artifact
from linplane_api.canonical import FormatError, FormatNotSupportedError
from linplane_api.files import write_atomically
from linplane_api.locks import lock
from linplane_api.names import model_object_name
from linplane_api.task import Task
from linplane_api.timing import rfc3339
from linplane_api.training_log import append_metadata, has_line

from .batch import Progress
from .data.download import Network
from .errors import StoreDamagedError, VersionExistsError
from .train import Trained, train

METADATA = "metadata.jsonl"
LOCK = ".lock"


@dataclass(frozen=True)
class StoredVersion:
    """A version in the store: its file, and the artifact that was read back from it."""

    path: Path
    artifact_file: ArtifactFile


def artifact_path(store: Path, model: str, version: str) -> Path:
    """The file of a version."""
    return store / f"{model_object_name(model, version)}.json"


def train_to_store(  # noqa: PLR0913 (what varies is a parameter)
    task: Task,
    store: Path,
    data_folder: Path,
    clock: Callable[[], datetime],
    *,
    replace: bool = False,
    progress: Progress | None = None,
    network: Network | None = None,
    credentials: Mapping[str, str] | None = None,
    threads: int = 1,
) -> StoredVersion:
    """Trains and stores a version, then verifies it by reading it back. `clock` gives an aware datetime;
    `credentials` and `threads` as for `train`.

    Raises VersionExistsError (before anything is read) unless `replace`, BadData, TrainingFailed, StoreDamagedError
    or OSError.
    """
    path = artifact_path(store, task.model, task.version)
    if not replace and path.exists():
        _raise_exists(store, path, task)
    trained = train(task, data_folder, progress, network, credentials=credentials, threads=threads)
    return store_artifact(store, task, trained, rfc3339(clock()), replace=replace)


def store_artifact(store: Path, task: Task, trained: Trained, trained_at: str, *, replace: bool) -> StoredVersion:
    """Writes the artifact in one step, reads it back, then records it. Raises VersionExistsError, StoreDamagedError
    or OSError.
    """
    path = artifact_path(store, task.model, task.version)
    store.mkdir(parents=True, exist_ok=True)
    with lock(store / LOCK):  # one writer at a time checks and writes
        if not replace and path.exists():
            _raise_exists(store, path, task)
        write_atomically(path, trained.to_file(trained_at))
        stored = StoredVersion(path, read_back(path))
        if stored.artifact_file.digest != trained.artifact.digest:
            raise StoreDamagedError(f"{path.name} does not read back as it was written")
        append_metadata(store / METADATA, stored.artifact_file, task.model, task.version)
        return stored


def read_back(path: Path) -> ArtifactFile:
    """Reads a stored artifact: form, digest and every check row's answer. Raises StoreDamagedError or OSError."""
    try:
        return parse_artifact(path.read_bytes())
    except FormatNotSupportedError as error:
        raise StoreDamagedError(f"{path.name} was written by a later release: {error}") from error
    except FormatError as error:
        raise StoreDamagedError(f"{path.name} is damaged: {error}") from error


def _raise_exists(store: Path, path: Path, task: Task) -> None:
    """Raises VersionExistsError, after adding the line to the log if a crash between file and line left it out."""
    existing = read_back(path)
    if not has_line(store / METADATA, task.model, task.version, existing.digest):
        append_metadata(store / METADATA, existing, task.model, task.version)
    raise VersionExistsError(
        f"version {task.version} of {task.model} exists already ({existing.digest}): "
        "train a new version, or replace this one"
    )
