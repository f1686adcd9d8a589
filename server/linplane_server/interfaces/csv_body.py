"""Reads a CSV body (RFC 4180, UTF-8) with a header line: pure. Columns are matched by name.

A number is written as in JSON, so neither NaN nor an infinity is one. A row is named by its number; the first one after
the header is row 1. Empty lines are skipped, and columns that the route does not have are not read.
"""

import csv
import io
import math
import re
from collections.abc import Sequence

from linplane_api.display import display_name

from ..errors import Invalid, Malformed
from ..predict.rows import Row

_is_number = re.compile(r"[ \t]*-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?[ \t]*").fullmatch
"""A number of JSON (RFC 8259), which may have blanks around it there too."""


def read_csv(data: bytes, accepted: frozenset[str]) -> list[Row]:
    """Returns the rows by name, with columns of `accepted` only. Raises Malformed or Invalid."""
    try:
        text = data.decode("utf-8-sig")  # with the byte order mark that spreadsheets write
    except UnicodeDecodeError as error:
        raise Malformed(f"not UTF-8 (byte {error.start})") from None
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        filled = (cells for cells in lines if cells)
        names = next(filled, [])
        columns = _columns(names, accepted)
        rows = [_row(cells, number, len(names), columns) for number, cells in enumerate(filled, 1)]
    except csv.Error:
        raise Malformed(f"not CSV (line {lines.line_num})") from None
    if not rows:
        raise Invalid("", "a header line with the names of the features, and at least one row are needed")
    return rows


def _columns(names: Sequence[str], accepted: frozenset[str]) -> list[tuple[int, str]]:
    columns = [(number, name) for number, name in enumerate(names) if name in accepted]
    if len({name for _, name in columns}) != len(columns):
        raise Invalid("", "the header names a feature twice")
    return columns


def _row(cells: Sequence[str], number: int, width: int, columns: Sequence[tuple[int, str]]) -> Row:
    if len(cells) != width:
        raise Invalid(f"row {number}", f"as many cells as in the header are needed: {width}; {len(cells)} are given")
    return {name: _number(cells[column], number, name) for column, name in columns}


def _number(cell: str, number: int, name: str) -> float:
    if _is_number(cell):
        value = float(cell)
        if math.isfinite(value):
            return value
    place = f"row {number}, column {display_name(name)}"
    if not cell.strip():
        raise Invalid(place, "a finite number is needed; the cell is empty")
    raise Invalid(place, "a finite number is needed, written as in JSON")
