"""Where `linplane predict` gets predictions from: a server, or an artifact. Both refuse the same rows."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from .csv_rows import Row
from .output import fail
from .reading import read_text

if TYPE_CHECKING:
    from linplane_api.artifact import Artifact


class Answer(NamedTuple):
    """Predictions of successive rows; `origin` is who made them, by its name in JSON."""

    values: Sequence[float]
    origin: dict[str, str]


class RefusedRow(Exception):  # noqa: N818 - as the server's refusals
    """The row `number`, from 0, was refused."""

    def __init__(self, number: int, message: str) -> None:
        """See the class."""
        super().__init__(number, message)
        self.number = number
        self.message = message


def from_server(url: str, route: str, key: str | None, rows: Iterable[Row]) -> Iterator[Answer]:
    """Answers of a server, one for each request. Raises RefusedRow; fails if no row is the cause."""
    from linplane import Client, LinplaneError, NoResponseError, RefusedError

    try:
        client = Client(url, route)
    except ValueError as error:
        name, _, problem = str(error).partition(": ")
        raise click.UsageError(f"{'--url' if name == 'url' else 'ROUTE'}: {problem}") from error
    try:
        with client:
            for batch in client.predict_batches(rows, key=key):
                origin = {"version": batch.version, "digest": batch.digest, "revision": batch.revision}
                yield Answer(batch.values, {**origin, "route": batch.route, "assignedBy": batch.assigned_by})
    except NoResponseError as error:
        fail(f"{error}; is `linplane local` running, or a port-forward?")
    except RefusedError as error:
        message = f"{error.status} {error.detail}"
        if error.row is None:
            fail(message)
        raise RefusedRow(error.row, message) from error
    except LinplaneError as error:
        fail(f"{url}: {error}")


def from_artifact(path: Path, rows: Iterable[Row]) -> Iterator[Answer]:
    """Answers computed here, as every server would. Raises RefusedRow; fails if the file is no artifact."""
    from linplane_api.artifact import PredictionError, parse_artifact, predict
    from linplane_api.canonical import FormatError
    from linplane_api.manifests.manifest import ManifestError

    try:
        file = parse_artifact(read_text(path))
    except FormatError as error:
        fail(f"{path}: {error}")
    except ManifestError as error:
        fail(f"{path}: {error.message}")
    artifact, origin = file.artifact, {"digest": file.digest}
    for number, row in enumerate(rows):
        problem = _problem(artifact, row)
        if problem:
            raise RefusedRow(number, problem)
        values = [row[name] for name in artifact.features]
        try:
            yield Answer([predict(artifact.coefficients, artifact.intercept, values)], origin)
        except PredictionError as error:
            raise RefusedRow(number, f"{error}: these values are too large") from error


def _problem(artifact: "Artifact", row: Row) -> str:
    """What is wrong with the names of a row; empty if nothing is."""
    from linplane_api.display import display_names

    missing = [name for name in artifact.features if name not in row]
    if missing:
        return f"the artifact needs {display_names(missing)}"
    unknown = [name for name in row if name not in artifact.features]
    if unknown:
        return f"unknown feature {display_names(unknown)}; the artifact takes {display_names(artifact.features)}"
    return ""
