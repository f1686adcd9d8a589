"""`linplane predict`."""

import io
import json
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple, TextIO

import click
from click.core import ParameterSource

from . import grammar
from .csv_rows import NOT_A_NUMBER, Row, RowError, from_csv, from_words, number
from .output import fail
from .prediction_sources import Answer, RefusedRow, from_artifact, from_folder, from_server, gathered
from .reading import state_folder, warn_if_stopped


class Request(NamedTuple):
    """The arguments: a file of rows, or the words of one row. `route` is empty for an artifact."""

    route: str
    words: tuple[str, ...]
    file: str | None


@click.command(
    epilog="""\b
Examples:
  linplane predict penguin-mass flipper_length_mm=201
  linplane predict penguin-mass penguins.csv --features flipper_length_mm > predicted.csv
  linplane predict penguin-mass penguins.csv --dir manifests/examples/penguins -o json
  linplane predict --artifact rent-v1.json area=70 rooms=3
"""
)
@grammar.words("ROUTE [NAME=VALUE]... [FILE.csv]")
@grammar.url(8080, "public")
@grammar.folder("Compute as the server of this folder would, without a server.", default=None)
@grammar.state()
@grammar.artifact("Compute from this artifact, without a server and without ROUTE.")
@click.option("--key", help="Identifies the user of these rows, for the split.")
@click.option("--features", help="The columns of the file to use, comma-separated  [default: all].")
@click.option("-o", "--output", type=click.Choice(["csv", "json"]), default="csv", help="Output format.")
@click.pass_context
def predict(  # noqa: PLR0913, PLR0917 - one parameter per option
    ctx: click.Context,
    words: tuple[str, ...],
    url: str,
    folder: Path,
    state: Path | None,
    artifact: Path,
    key: str | None,
    features: str | None,
    output: str,
) -> None:
    """Print the prediction of one row, given as NAME=VALUE, or of each row of a CSV of any size; - is standard input.

    The rows of a file are sent in several requests; all are printed in order, one line each, until one is refused.
    With --dir each row is a request of its own.
    """
    place = grammar.chosen_place(ctx)
    request = parse_words(words, offline=place == "--artifact")
    if place == "--artifact" and key is not None:
        raise click.UsageError("--key is for the split of a route, which --artifact does not have")
    if place != "--dir" and ctx.get_parameter_source("state") is ParameterSource.COMMANDLINE:
        raise click.UsageError("--state is for --dir")

    def answers_to(rows: Iterator[Row]) -> Iterator[Answer]:
        if place == "--artifact":
            return gathered(from_artifact(artifact, rows))
        if place == "--url":
            return from_server(url, request.route, key, rows)
        root = state_folder(folder, state)
        warn_if_stopped(root)
        return gathered(from_folder(root, request.route, key, rows))

    if features is not None and request.file is None:
        raise click.UsageError("--features chooses columns of a file")
    with _opened(request, features) as (rows, show):
        places: deque[int | str] = deque()  # of the rows that have no answer yet
        try:
            done = _print(answers_to(_recorded(rows, places)), places, output, one=request.file is None, show=show)
        except _Stopped as stopped:
            fail(_message(request, stopped))
    if not done:
        fail(f"{request.file}: there is no row after the header")


def parse_words(words: tuple[str, ...], *, offline: bool) -> Request:
    """The arguments by their meaning. Raises click.UsageError."""
    route, rest = ("", words) if offline else ("".join(words[:1]), words[1:])
    if not offline and (not route or "=" in route):
        raise click.UsageError("ROUTE is needed, then NAME=VALUE or a file")
    files = [word for word in rest if "=" not in word]
    mixed = 0 < len(files) < len(rest)
    for word in () if mixed else files:
        _check_file(word)
    if len(files) > 1 or mixed:
        raise click.UsageError("either NAME=VALUE or one file, not both" + "; --artifact needs no ROUTE" * offline)
    if not rest:
        raise click.UsageError("NAME=VALUE or a file is needed")
    return Request(route, () if files else rest, files[0] if files else None)


def _check_file(word: str) -> None:
    if word == "-" or Path(word).is_file():
        return
    if Path(word).is_dir():
        raise click.UsageError(f"{word}: is a folder; a CSV is needed")
    if ("." in word or "/" in word) and number(word) is None:
        raise click.UsageError(f"{word}: there is no such file")
    hint = "; --features needs commas between names" if number(word) is None else ""
    raise click.UsageError(f"{word}: is neither NAME=VALUE nor a file{hint}")


class _Stopped(Exception):  # noqa: N818 - it carries how far the output came
    def __init__(self, place: int | str | None, message: str, done: int) -> None:
        super().__init__(place, message, done)
        self.place, self.message, self.done = place, message, done


def _message(request: Request, stopped: _Stopped) -> str:
    place = f"{request.file}:{stopped.place}: " if stopped.place else ""
    is_column = request.file and ("unknown feature" in stopped.message or stopped.message.endswith(NOT_A_NUMBER))
    hint = "; --features chooses columns" if is_column else ""
    before = f"; rows predicted before it: {stopped.done}" if stopped.done else ""
    return place + stopped.message + hint + before


def _recorded(rows: Iterator[tuple[int | str, Row]], places: "deque[int | str]") -> Iterator[Row]:
    for place, row in rows:
        places.append(place)
        yield row


def _print(
    answers: Iterator[Answer], places: "deque[int | str]", output: str, *, one: bool, show: Callable[[], None]
) -> int:
    """Prints the answers, and returns their number. Raises _Stopped."""
    printer, done = _Printer(sys.stdout, output, one), 0
    try:
        for answer in answers:
            printer.write(answer, first=not done)
            done += len(answer.values)
            for _ in answer.values:
                places.popleft()
            show()
    except RowError as error:
        raise _Stopped(error.place, error.message, done) from error
    except RefusedRow as error:
        raise _Stopped(places[error.number - done], error.message, done) from error
    finally:
        printer.end(done)
    return done


class _Printer:
    """Prints predictions as CSV with a header, as a JSON object (for one row), or as a JSON array."""

    def __init__(self, stream: TextIO, output: str, one: bool) -> None:
        self._stream, self._json, self._one = stream, output == "json", one

    def write(self, answer: Answer, *, first: bool) -> None:
        """Prints the predictions of an answer, in one write; `first` if it is the first one."""
        self._stream.write(self._as_json(answer, first) if self._json else _as_csv(answer, first))

    def _as_json(self, answer: Answer, first: bool) -> str:
        texts = [json.dumps({"prediction": value, **answer.origin}) for value in answer.values]
        return "".join(texts) if self._one else ("[\n" if first else ",\n") + ",\n".join(texts)

    def end(self, done: int) -> None:
        """Ends the output after `done` rows, also if an error follows: an array is closed."""
        if self._json and done:
            self._stream.write("\n" if self._one else "\n]\n")


def _as_csv(answer: Answer, first: bool) -> str:
    """Lines of CSV; no version has a character that would need quotes."""
    end = f",{answer.origin['version']}\n" if "version" in answer.origin else "\n"
    header = ("prediction,version\n" if "version" in answer.origin else "prediction\n") if first else ""
    return header + "".join([f"{value!r}{end}" for value in answer.values])


Opened = tuple[Iterator[tuple[int | str, Row]], Callable[[], None]]


@contextmanager
def _opened(request: Request, features: str | None) -> Iterator[Opened]:
    """The rows with their places, and a function that updates the progress bar. Raises click.UsageError."""
    if request.file is None:
        try:
            row = from_words(request.words)
        except RowError as error:
            raise click.UsageError(f"{error.place}: {error.message}") from error
        yield iter([("", row)]), lambda: None
        return
    names = None if features is None else [name.strip() for name in features.split(",")]
    with click.open_file(request.file, "rb") as raw, _progress(raw) as show:
        file = io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
        try:
            yield from_csv(file, names), show
        finally:
            file.detach()


@contextmanager
def _progress(raw: IO[bytes]) -> Iterator[Callable[[], None]]:
    """A function that shows how much of a file has been read: on a terminal, if the output goes elsewhere."""
    if not sys.stderr.isatty() or sys.stdout.isatty() or not raw.seekable():
        yield lambda: None
        return
    size = raw.seek(0, io.SEEK_END)
    raw.seek(0)
    with click.progressbar(length=size, label="predicting", file=sys.stderr) as bar:
        yield lambda: bar.update(raw.tell() - bar.pos)
