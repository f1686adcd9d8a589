"""Reads a CSV body (RFC 4180, UTF-8) with a header line: pure. Columns are matched by name.

A number is written as in JSON, so neither NaN nor an infinity is one. A row is named by its number; the first one after
the header is row 1. Empty lines are skipped, and columns that the route does not have are not read.
"""

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence

from linplane_api.display import display_name

from ..errors import Invalid, Malformed
from ..predict.rows import Row

_NUMBER = r"[ \t]*-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?[ \t]*"
"""A number of JSON (RFC 8259), which may have blanks around it there too."""
_is_number = re.compile(_NUMBER).fullmatch
_are_numbers = re.compile(f"{_NUMBER}(?:,{_NUMBER})*").fullmatch


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


def _columns(names: Sequence[str], accepted: frozenset[str]) -> dict[str, int]:
    """Returns the number of the column of each feature."""
    columns: dict[str, int] = {}
    for number, name in enumerate(names):
        if name in columns:
            raise Invalid("", "the header names a feature twice")
        if name in accepted:
            columns[name] = number
    if names and not columns:  # as without a header line, or with semicolons
        raise Invalid("", "the header line names no feature of the route; names are separated by commas")
    return columns


def _row(cells: Sequence[str], number: int, width: int, columns: Mapping[str, int]) -> Row:
    if len(cells) != width:
        raise Invalid(f"row {number}", f"as many cells as in the header are needed: {width}; {len(cells)} are given")
    values = _numbers([cells[column] for column in columns.values()])
    if values is None:
        raise next(wrong for name, column in columns.items() if (wrong := _wrong_cell(cells[column], number, name)))
    return dict(zip(columns, values, strict=True))


def _numbers(cells: Sequence[str]) -> list[float] | None:
    """Returns the cells as numbers; None if one of them is not a finite number."""
    if cells and not _are_numbers(",".join(cells)):  # faster than each cell by itself
        return None
    try:
        values = list(map(float, cells))
    except ValueError:  # a cell with a comma
        return None
    return values if all(map(math.isfinite, values)) else None


def _wrong_cell(cell: str, number: int, name: str) -> Invalid | None:
    if _is_number(cell) and math.isfinite(float(cell)):
        return None
    place = f"row {number}, column {display_name(name)}"
    if not cell.strip():
        return Invalid(place, "a finite number is needed; the cell is empty")
    return Invalid(place, "a finite number is needed, written as in JSON")
