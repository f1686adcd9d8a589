"""Reads rows of numbers by name: from a CSV of any size, or from `name=value` words."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from math import isfinite
from typing import TextIO

Row = dict[str, float]

NOT_A_NUMBER = "is not a finite number"
SEPARATORS = {";": '";"', "\t": "a tab", "|": '"|"'}
"""What stands between columns in place of a comma, and its name."""

_BOOLEANS = {"true": 1.0, "false": 0.0}


class RowError(Exception):
    """A row that cannot be used; `place` is its line in a file, or its `name=value` word."""

    def __init__(self, place: int | str, message: str) -> None:
        """See the class."""
        super().__init__(place, message)
        self.place = place
        self.message = message


def number(text: str) -> float | None:
    """The number that a cell holds, `true` and `false` as 1 and 0; None if it is not a finite one."""
    plain = text.strip().lower()
    if plain in _BOOLEANS:
        return _BOOLEANS[plain]
    try:
        value = float(plain)
    except ValueError:
        return None
    return value if isfinite(value) and "_" not in plain else None


def from_words(words: Iterable[str]) -> Row:
    """The row of `name=value` words. Raises RowError."""
    row: Row = {}
    for word in words:
        name, _, text = word.rpartition("=")
        value = number(text)
        if value is None:
            raise RowError(word, "a finite number is needed after =")
        if name in row:
            raise RowError(word, "this feature is given twice")
        row[name] = value
    return row


def from_csv(file: TextIO, features: Sequence[str] | None) -> Iterator[tuple[int, Row]]:
    """Each row with the number of its last line; the columns `features`, or all. Raises RowError."""
    reader = csv.reader(file, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        columns = _columns(header, features)
        for cells in reader:
            if cells:
                yield reader.line_num, _row(cells, header, columns, reader.line_num)
    except csv.Error as error:
        raise RowError(reader.line_num, f"not CSV: {error}") from error
    except UnicodeDecodeError as error:
        raise RowError(reader.line_num + 1, "from here on it is not UTF-8") from error


def _columns(header: list[str], features: Sequence[str] | None) -> list[int]:
    """The positions of the columns in use."""
    from linplane_api.display import display_name, display_names

    if len(header) == 1 and (found := next((shown for sign, shown in SEPARATORS.items() if sign in header[0]), None)):
        raise RowError(1, f"the separator looks like {found}, and a comma is needed")
    for name in header if features is None else features:
        if not name:
            raise RowError(1, f"column {header.index('') + 1} has no name: choose columns by --features")
        if header.count(name) != 1:
            problem = "is duplicated" if name in header else f"does not exist; there are {display_names(header)}"
            raise RowError(1, f"the column {display_name(name)} {problem}")
    if not header:
        raise RowError(1, "a header with the names of the columns is needed")
    return list(range(len(header))) if features is None else [header.index(name) for name in features]


def _row(cells: list[str], header: list[str], columns: list[int], line: int) -> Row:
    from linplane_api.display import display_name

    if len(cells) != len(header):
        raise RowError(line, f"the header has {len(header)} columns, this row {len(cells)}")
    row: Row = {}
    for column in columns:
        value = number(cells[column])
        if value is None:
            problem = NOT_A_NUMBER if cells[column].strip() else "is empty"
            raise RowError(line, f"{display_name(header[column])} {problem}")
        row[header[column]] = value
    return row
