"""Where in a CSV something is wrong: only when it is, the source is read once more with the standard library's
reader, which knows lines.
"""

import csv
import io
import itertools
import re
from collections.abc import Iterator

from .errors import TrainerError
from .source import Bytes, Readable, Source

NEWLINES = re.compile(r"\r\n|\r|\n")


def records(data: Bytes) -> Iterator[tuple[int, list[str]]]:
    """Each record that is not a blank line, the header first, and the line that it begins on (from 1)."""
    text = io.TextIOWrapper(
        io.BufferedReader(Readable(data)), encoding="utf-8-sig", errors="surrogateescape", newline=""
    )
    reader = csv.reader(text)
    before = 0
    for record in reader:
        if record:
            yield before + 1, record
        before = reader.line_num


def line_of(source: Source, row: int, column: int) -> int | None:
    """The line that the cell begins on; `row` from 0 counts data rows, `column` from 0. None where the source cannot
    tell.
    """
    record = _record(source, row)
    if record is None:
        return None
    line, cells = record
    return line + sum(len(NEWLINES.findall(cell)) for cell in cells[:column])


def _record(source: Source, row: int) -> tuple[int, list[str]] | None:
    if source.remote:  # what comes the second time may be something else
        return None
    try:
        data = source.open()
        try:
            return next(itertools.islice(records(data), row + 1, None), None)
        finally:
            data.close()
    except (TrainerError, csv.Error):  # a cell past the reader's limit: the row's number has to do
        return None


def place(source: Source, row: int, column: int = 0) -> str:
    """`line 7`, or `data row 6` where nobody knows the line; `row` from 0, the words count from 1."""
    line = line_of(source, row, column)
    return f"data row {row + 1}" if line is None else f"line {line}"
