"""One training: data → fit → artifact. Only this module knows the order."""

import logging
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from linplane_api.artifact import Artifact
from linplane_api.facts import Facts, LeftOutColumn
from linplane_api.task import FileData, PostgresData, S3Data, SyntheticData, Task, UriData

from .artifact_builder import build_artifact
from .batch import Block, Progress
from .data import synthetic
from .data.csv_header import Selection
from .data.download import Network
from .data.places import source_for
from .data.postgres import open_query
from .data.postgres_table import PostgresTable
from .data.tables import open_table
from .errors import BadData, TrainingFailed
from .fit.fitting import MAX_EXACT, Fitting, FittingPart
from .fit.types import FitOptions, Method
from .holdout import Holdout
from .sharing import share_out
from .training_facts import facts_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trained:
    """The result of a training: the model, and the facts that its digest does not cover."""

    artifact: Artifact
    facts: Facts

    def to_file(self, trained_at: str) -> bytes:
        """The artifact file. `trained_at` is RFC 3339."""
        return self.artifact.to_file(trained_at, self.facts)


def train(  # noqa: PLR0913 (what varies is a parameter)
    task: Task,
    data_folder: Path,
    progress: Progress | None = None,
    network: Network | None = None,
    *,
    credentials: Mapping[str, str] | None = None,
    threads: int = 1,
) -> Trained:
    """Reads the task's data once and fits it. Raises BadData, or TrainingFailed if a retry may help.

    Equal data and settings give equal bytes; up to 512 features on every machine (`Method.EXACT`). One BLAS thread:
    more of them cost more than they bring, and for more features the sums that they split round differently.
    `progress` is called with the rows so far, the bytes done and the bytes in all (None if unknown); for
    synthetic data both count rows. `credentials`: the keys of the Secret that the task names. `threads`: as many
    convert and add up what one reads; they change no bit.
    """
    try:
        with threadpool_limits(1, user_api="blas"):
            if isinstance(task.data, SyntheticData):
                return _from_synthetic(task, task.data, progress, threads)
            return _from_table(
                task,
                task.data,
                progress,
                data_folder=data_folder,
                network=network or Network(),
                credentials=credentials or {},
                threads=threads,
            )
    except MemoryError as error:
        raise TrainingFailed("out of memory: give the training more, or fewer features") from error


def software_versions() -> dict[str, str]:
    """Versions of the software that trains, by name."""
    packages = ("linplane", "numpy", "pyarrow", "python-flint")
    return {name: _version(name) for name in packages} | {"python": platform.python_version()}


def _deciding(method: Method, versions: dict[str, str]) -> dict[str, str]:
    """What decides the last digits."""
    if method is Method.EXACT:
        return {"fit": method}
    return {name: versions[name] for name in ("linplane", "numpy", "python")}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # run from a plain folder
        return "unknown"


def _options(task: Task, features: tuple[str, ...]) -> FitOptions:
    return FitOptions(features, task.fit_intercept, task.ridge)


def _holdout(task: Task) -> Holdout:
    return Holdout(task.holdout_percent, task.seed, task.holdout_key)


def _from_synthetic(task: Task, data: SyntheticData, progress: Progress | None, threads: int) -> Trained:
    if task.features is not None or task.target is not None or task.exclude or task.holdout_key is not None:
        raise BadData("synthetic data brings its own columns: neither features, target nor holdoutKey can be given")
    features = synthetic.feature_names(data)
    fitting = Fitting(_options(task, features), threads=threads)
    _add(synthetic.blocks(data, _holdout(task), progress), fitting)
    return _trained(task, synthetic.TARGET, fitting)


def _from_table(  # noqa: PLR0913 (what varies is a parameter)
    task: Task,
    data: FileData | UriData | S3Data | PostgresData,
    progress: Progress | None,
    *,
    data_folder: Path,
    network: Network,
    credentials: Mapping[str, str],
    threads: int,
) -> Trained:
    if task.target is None:
        raise BadData("a target column must be named")
    csv = None if isinstance(data, PostgresData) else data.csv
    selection = Selection(task.features, task.target, _holdout(task), task.exclude, csv)
    table = (
        PostgresTable(open_query(data, network, credentials), selection)
        if isinstance(data, PostgresData)
        else open_table(source_for(data, data_folder, network, credentials), selection)
    )
    log.debug("reading rows", extra={"source": type(data).__name__, "features": len(table.features)})
    try:
        _check_key(task, table.features)
        fitting = Fitting(_options(task, table.features), threads=threads)
        _add(table.blocks(progress), fitting)
    finally:
        table.close()
    trained = _trained(task, task.target, fitting, table.left_out)
    return replace(trained, facts=msgspec.structs.replace(trained.facts, data=table.hash, sha256=table.sha256))


def _add(blocks: Iterable[Block], fitting: Fitting) -> None:
    """Adds blocks to all parts of a fitting at once."""

    def taker(part: FittingPart) -> Callable[[Block], None]:
        return lambda block: part.add(block.batch())

    share_out(blocks, [taker(part) for part in fitting.parts])


def _check_key(task: Task, features: tuple[str, ...]) -> None:
    if task.holdout_key is not None and len(features) > MAX_EXACT:
        raise BadData(f"holdoutKey: at most {MAX_EXACT} features, and there are {len(features)}")


def _trained(task: Task, target: str, fitting: Fitting, left_out: Sequence[LeftOutColumn] = ()) -> Trained:
    fit, options = fitting.result(), fitting.options
    facts = {"features": len(options.features), "rows": fit.samples, "held_out": fit.held_out, "dropped": fit.dropped}
    log.debug("fitted", extra=facts)
    versions = software_versions()
    artifact = build_artifact(task, options.features, target, fit, _deciding(fit.method, versions))
    return Trained(artifact, facts_of(options, target, fit, left_out, versions))
