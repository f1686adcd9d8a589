"""Cells of text as rows of numbers. PURE: reports which cell is wrong and how, never its content."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..batch import Batch, Draws
from .csv_numbers import FALSE, TRUE, NumberRules, by_rules, numbers_of

NUMBER = r"^[-+]?(inf|infinity|nan|([0-9]+[.]?[0-9]*|[.][0-9]+)(e[-+]?[0-9]+)?)$"
"""The numbers that `by_rules` accepts, in lower case: only for counting, if one cell of a column is no number."""


@dataclass(frozen=True)
class BadCell:
    """A cell that is neither a number nor a gap; `column` and `row` from 0, among the columns in use. `has_comma`: with
    a decimal comma, which the rules don't take, it is a number.
    """

    row: int
    column: int
    problem: str
    has_comma: bool = False


@dataclass(frozen=True)
class ColumnCounts:
    """Counts of a column's cells: `values` without the gaps, `numbers` those of them that are numbers; `first_other` is
    the row (from 0) of the first value that is no number.
    """

    values: int
    numbers: int
    first_other: int | None

    @property
    def is_numeric(self) -> bool:
        """Whether at least half of the values are numbers, and there is one."""
        return 0 < self.values <= 2 * self.numbers


def batch_of(columns: list[pa.Array], rules: NumberRules, draws: Draws) -> Batch | BadCell:
    """Columns of bytes, equally long, as rows; those with a gap are left out. `draws` are those of the rows."""
    columns = [rules.with_points(column) for column in columns]
    numbers = numbers_of(columns, rules)
    if numbers is None:
        return _first_bad(columns, rules)
    values = numbers.reshape(len(columns), -1)
    kept = np.asarray(np.isfinite(values).all(axis=0))
    if not kept.all() and np.isinf(values[:, ~kept]).any():
        return _first_bad(columns, rules)
    return Batch.of_columns(values, kept, draws)


def count_column(column: pa.Array, rules: NumberRules) -> ColumnCounts:
    """Counts the values and the numbers of a column of bytes."""
    column = rules.with_points(column)
    numbers = by_rules(column, rules)
    if numbers is not None:
        values = int(np.count_nonzero(~np.isnan(numbers)))
        return ColumnCounts(values, values, None)
    lower = pc.utf8_lower(pc.utf8_trim_whitespace(_as_text(column)))
    gaps = pc.is_in(lower, value_set=rules.gaps)
    numeric = pc.or_(pc.match_substring_regex(lower, NUMBER), pc.is_in(lower, value_set=pa.array([TRUE, FALSE])))
    first_other = pc.index(pc.or_(gaps, numeric), pa.scalar(False)).as_py()
    values = len(column) - pc.sum(gaps).as_py()
    return ColumnCounts(values, pc.sum(pc.and_not(numeric, gaps)).as_py(), first_other)


def _as_text(column: pa.Array) -> pa.Array:
    try:
        return column.cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array([cell.decode(errors="replace") for cell in column.to_pylist()], pa.string())


def _first_bad(columns: list[pa.Array], rules: NumberRules) -> BadCell:
    found = [
        BadCell(row, number, _problem(column[row : row + 1], rules), _has_comma(column[row : row + 1], rules))
        for number, column in enumerate(columns)
        if (row := _bad_row(column, rules)) is not None
    ]
    return min(found, key=lambda cell: (cell.row, cell.column))


def _bad_row(column: pa.Array, rules: NumberRules) -> int | None:
    """The row of the first bad cell, by bisection; None if there is none."""
    if _is_valid(column, rules):
        return None
    start, end = 0, len(column)  # the first bad one is in [start, end)
    while end - start > 1:
        middle = (start + end) // 2
        start, end = (middle, end) if _is_valid(column[start:middle], rules) else (start, middle)
    return start


def _is_valid(cells: pa.Array, rules: NumberRules) -> bool:
    numbers = by_rules(cells, rules)
    return numbers is not None and not np.isinf(numbers).any()


def _problem(cell: pa.Array, rules: NumberRules) -> str:
    try:
        cell.cast(pa.string())
    except pa.ArrowInvalid:
        return "is not UTF-8 text"
    if by_rules(cell, rules) is not None:
        return "is infinite, or too large for a double"
    return "is not a number"


def _has_comma(cell: pa.Array, rules: NumberRules) -> bool:
    other = replace(rules, has_decimal_comma=True)
    if rules.has_decimal_comma or by_rules(cell, rules) is not None:
        return False
    return by_rules(other.with_points(cell), other) is not None
