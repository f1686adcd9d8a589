"""A progress bar for a person at a terminal; nothing elsewhere, so that logs stay clean."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import click

from .batch import Progress


@contextmanager
def progress_bar(label: str, stream: TextIO) -> Iterator[Progress | None]:
    """A progress bar on `stream` while the block runs; gives the callback for `train`, None if `stream` is
    not a terminal.
    """
    if not stream.isatty():
        yield None
        return
    with click.progressbar(length=1, label=label, file=stream, item_show_func=_rows) as bar:

        def show(rows: int, done: int, total: int | None) -> None:
            bar.length = max(total or 2 * done, 1)  # of unknown size: always halfway
            bar.update(done - bar.pos, rows)

        yield show


def _rows(rows: int | None) -> str | None:
    return None if rows is None else f"{rows} rows"
