"""Reads rows of a CSV with a header line: pure. Columns are matched by name.

A number is written as in JSON, so neither NaN nor an infinity is one. A row is named by its number; the first one after
the header is row 1. Empty lines are skipped, and columns that the route does not have are not read.
"""

import math
import re
from collections.abc import Mapping, Sequence

import msgspec

from linplane_api.display import display_name

from ..errors import Invalid
from ..predict.rows import Row

_NUMBER = r"[ \t]*-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?[ \t]*"
"""A number of JSON (RFC 8259), which may have blanks around it there too."""
_have_numbers_only = re.compile(r"[0-9.eE+\-, \t\n]++").fullmatch
_have_negative_zero = re.compile(r"-0(?![.eE])").search
_decode = msgspec.json.Decoder(list[list[float]]).decode

_is_number = re.compile(_NUMBER).fullmatch
_are_numbers = re.compile(f"{_NUMBER}(?:,{_NUMBER})*").fullmatch


class CsvTable:
    """Makes rows of lists of cells, the first of which is the header. `count` is the number of rows so far."""

    def __init__(self, accepted: frozenset[str], order: Sequence[str] | None = None) -> None:
        """Columns that are not in `accepted` are not read. `order` is that of features in an array, if there is one."""
        self.count = 0
        self._accepted = accepted
        self._order = order
        self._columns: dict[str, int] | None = None
        self._width = 0

    def row(self, cells: Sequence[str]) -> Row | None:
        """Returns the numbers of a row by name; None for the header. Raises Invalid."""
        if self._columns is None:
            self._width, self._columns = len(cells), _columns(cells, self._accepted)
            return None
        self.count += 1
        if len(cells) != self._width:
            need = f"as many cells as in the header are needed: {self._width}; {len(cells)} are given"
            raise Invalid(f"row {self.count}", need)
        values = _numbers([cells[column] for column in self._columns.values()])
        if values is None:
            columns, place = self._columns.items(), f"row {self.count}"
            raise next(wrong for name, column in columns if (wrong := _wrong_cell(cells[column], place, name)))
        return dict(zip(self._columns, values, strict=True))

    def rows(self, lines: str) -> list[Row] | None:
        """Returns the rows of whole lines if these are certain to have nothing but numbers; else None.

        Decoding them as JSON takes a tenth of the time. It reads each number as `float` does, but for `-0`.
        """
        columns = self._columns
        lines = lines.replace("\r\n", "\n")
        if columns is None or not _have_numbers_only(lines) or _have_negative_zero(lines):
            return None
        try:
            rows = _decode("[[" + lines.removesuffix("\n").replace("\n", "],[") + "]]")
        except msgspec.MsgspecError:
            return None
        if set(map(len, rows)) != {self._width}:
            return None
        self.count += len(rows)
        return self._matched(rows, columns)

    def _matched(self, rows: list[list[float]], columns: Mapping[str, int]) -> list[Row]:
        """Returns the rows as arrays, which take less time, if they have all features; else by name."""
        order = self._order
        if order is None or len(order) != len(columns) or not columns.keys() <= set(order):
            return [{name: row[column] for name, column in columns.items()} for row in rows]
        places = [columns[name] for name in order]
        if places == list(range(self._width)):
            return list[Row](rows)
        return [[row[place] for place in places] for row in rows]

    def check_end(self) -> None:
        """Raises Invalid if there was no row."""
        if not self.count:
            raise Invalid("", "a header line with the names of the features, and at least one row are needed")


def _columns(names: Sequence[str], accepted: frozenset[str]) -> dict[str, int]:
    """Returns the number of the column of each feature."""
    columns: dict[str, int] = {}
    for number, name in enumerate(names):
        if name in columns:
            raise Invalid("", "the header names a feature twice")
        if name in accepted:
            columns[name] = number
    if not columns:  # as without a header line, or with semicolons
        raise Invalid("", "the header line names no feature of the route; names are separated by commas")
    return columns


def _numbers(cells: Sequence[str]) -> list[float] | None:
    """Returns the cells as numbers; None if one of them is not a finite number."""
    if not _are_numbers(",".join(cells)):  # faster than each cell by itself
        return None
    try:
        values = list(map(float, cells))
    except ValueError:  # a cell with a comma
        return None
    return values if all(map(math.isfinite, values)) else None


def _wrong_cell(cell: str, place: str, name: str) -> Invalid | None:
    if _is_number(cell) and math.isfinite(float(cell)):
        return None
    place = f"{place}, column {display_name(name)}"
    if not cell.strip():
        return Invalid(place, "a finite number is needed; the cell is empty")
    return Invalid(place, "a finite number is needed, written as in JSON")
