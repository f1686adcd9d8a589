"""Where `linplane predict` gets predictions from: a server, the state of local mode, or an artifact. All refuse the
same rows.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from .csv_rows import Row, RowError
from .output import fail
from .reading import read_artifact

if TYPE_CHECKING:
    from linplane_api.artifact import Artifact
    from linplane_server.state.snapshot import Route


BLOCK_ROWS = 1000
"""How many rows that are computed here are printed at once."""

READ_ATTEMPTS = 10
"""How often the state of a folder is read that is swapped meanwhile."""


Origin = dict[str, str]
"""Who made a prediction: version, digest and so on, by their names in JSON."""

Computed = tuple[float, Origin]


class Answer(NamedTuple):
    """Predictions of successive rows."""

    values: Sequence[float]
    origin: Origin


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


def gathered(computed: Iterable[Computed]) -> Iterator[Answer]:
    """Answers of at most BLOCK_ROWS rows of one origin. Raises what `computed` raises, after the rows before it."""
    values: list[float] = []
    before: Origin = {}
    error: Exception | None = None
    try:
        for value, origin in computed:
            if values and (origin is not before or len(values) == BLOCK_ROWS):
                yield Answer(values, before)
                values = []
            values.append(value)
            before = origin
    except (RowError, RefusedRow) as stopped:
        error = stopped
    if values:
        yield Answer(values, before)
    if error is not None:
        raise error


def from_folder(root: Path, route: str, key: str | None, rows: Iterable[Row]) -> Iterator[Computed]:
    """Predictions computed here from the routing documents of a state folder, as its server would for each row alone.
    Raises RefusedRow; fails if the route is not there, or the version of a row cannot be served.
    """
    from linplane_server.errors import Invalid
    from linplane_server.predict.router import choose
    from linplane_server.predict.rows import compute, values_key

    loaded = _load_route(root, route)
    origins: dict[tuple[str, str], Origin] = {}
    for number, row in enumerate(rows):
        try:
            version, source = choose(loaded, key, None, partial(values_key, loaded, [row], str))
            if version is None:
                fail(loaded.unavailable.message if loaded.unavailable else "nothing to serve")
            value = compute(loaded, version, row, "")
        except Invalid as error:
            raise RefusedRow(number, error.detail) from error
        origin = origins.get((version.name, source))
        if origin is None:
            origin = {"version": version.name, "digest": version.digest, "revision": version.revision}
            origins[version.name, source] = origin = {**origin, "route": route, "assignedBy": source}
        yield value, origin


def _load_route(root: Path, name: str) -> "Route":
    """The compiled route of a state folder; fails if it is not there, or cannot be read."""
    from linplane_api.canonical import FormatError
    from linplane_api.display import display_names
    from linplane_server.routing.compile import Damaged, load_route
    from linplane_server.state.counters import Counters

    try:
        texts = {route: text for config in sorted(root.glob("servers/*/config")) for route, text in _read(config)}
    except (OSError, FormatError) as error:
        fail(f"{root}: {getattr(error, 'strerror', None) or error}")
    if name not in texts:
        fail(f"there is no route {name} in {root}" + (f"; there is {display_names(sorted(texts))}" if texts else ""))
    loaded = load_route(name, texts[name], Counters())
    if isinstance(loaded, Damaged):
        fail(f"route {name} in {root}: {loaded.reason}")
    return loaded


def _read(config: Path) -> Iterable[tuple[str, str]]:
    """Each route's key of a routing folder. Raises OSError or FormatError."""
    from linplane_api.routing_folder import current_state, read_routing

    for _ in range(READ_ATTEMPTS):
        state = current_state(config)
        if state is None:
            return ()
        with suppress(FileNotFoundError):  # it was swapped meanwhile
            return read_routing(config, state).routes.items()
    raise OSError(f"{config.name} of {config.parent.name} is incomplete, or changes all the time")


def from_artifact(path: Path, rows: Iterable[Row]) -> Iterator[Computed]:
    """Predictions computed here, as every server would. Raises RefusedRow; fails if the file is no artifact."""
    from linplane_api.artifact import PredictionError, predict

    file = read_artifact(path)
    artifact, origin = file.artifact, {"digest": file.digest}
    for number, row in enumerate(rows):
        problem = _problem(artifact, row)
        if problem:
            raise RefusedRow(number, problem)
        values = [row[name] for name in artifact.features]
        try:
            yield predict(artifact.coefficients, artifact.intercept, values), origin
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
