"""Finds the line of an error in a CSV: reads the source a second time, with the standard library's reader, which
counts lines.
"""

import csv
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import BinaryIO

from ..errors import TrainerError
from .contents import Contents
from .source import Bytes, Readable, Source

NEWLINES = re.compile(r"\r\n|\r|\n")


def records(data: Bytes, separator: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Each record that is not a blank line, the header first, and the line that it begins on (from 1)."""
    return _records(Contents(Readable(data)).stream, separator)


def _records(file: BinaryIO, separator: str) -> Iterator[tuple[int, list[str]]]:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    reader = csv.reader(text, delimiter=separator)
    before = 0
    for record in reader:
        if record:
            yield before + 1, record
        before = reader.line_num


def line_of(source: Source, row: int, column: int, separator: str) -> int | None:
    """The line that the cell begins on; `row` from 0 counts data rows, `column` from 0. None if the source
    cannot be read twice.
    """
    record = _record(source, row, separator)
    if record is None:
        return None
    return _line(*record, column)


def _line(first: int, cells: list[str], column: int) -> int:
    return first + sum(len(NEWLINES.findall(cell)) for cell in cells[:column])


def lines_in(beginning: bytes, cells: Sequence[tuple[int, int]], separator: str) -> dict[tuple[int, int], int]:
    """The lines of cells (row and column, from 0) as far as `beginning`, the first bytes of a table, holds them."""
    found: dict[tuple[int, int], int] = {}
    by_row: dict[int, list[int]] = {}
    for row, column in cells:
        by_row.setdefault(row, []).append(column)
    data_rows = itertools.islice(_records(io.BytesIO(beginning), separator), 1, max(by_row, default=-1) + 2)
    with suppress(csv.Error):  # a cell past the reader's limit: what follows has no line
        for row, (first, record) in enumerate(data_rows):
            found |= {(row, column): _line(first, record, column) for column in by_row.get(row, ())}
    return found


def _record(source: Source, row: int, separator: str) -> tuple[int, list[str]] | None:
    if source.remote:  # a second answer may differ
        return None
    try:
        data = source.open()
        try:
            return next(itertools.islice(records(data, separator), row + 1, None), None)
        finally:
            data.close()
    except (TrainerError, csv.Error):  # a cell past the reader's limit: the row's number is given instead
        return None


def location(source: Source, row: int, column: int, separator: str) -> str:
    """`line 7`, or `data row 6` if the line is unknown; `row` counts from 0, the text from 1."""
    line = line_of(source, row, column, separator)
    return f"data row {row + 1}" if line is None else f"line {line}"
