"""Columns of Parquet as rows of numbers. PURE: reports which value is wrong and how, never the value."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..batch import Batch, Draws, Floats
from .csv_cells import BadCell
from .csv_numbers import NumberRules, by_rules

WHOLE = 1 << 53
"""A double holds every whole number up to this one."""
RULES = NumberRules()


def is_numeric(kind: pa.DataType) -> bool:
    """Whether values of that type are numbers: whole, floating or decimal ones, or booleans."""
    kind = _decoded(kind)
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)
    return any(test(kind) for test in tests)


def batch_of(columns: Sequence[pa.Array], draws: Draws) -> Batch | BadCell:
    """Columns of numeric types, equally long, as rows; those with a null or NaN are left out. `draws` are those of the
    rows.
    """
    values = np.empty((len(columns), len(columns[0])))
    bad: list[BadCell] = []
    for number, column in enumerate(columns):
        values[number], inexact = _doubles(column)
        bad += _first(inexact, number, "is a whole number that a double does not hold exactly")
        bad += _first(np.isinf(values[number]), number, "is infinite, or too large for a double")
    if bad:
        return min(bad, key=lambda cell: (cell.row, cell.column))
    return Batch.of_columns(values, np.asarray(~np.isnan(values).any(axis=0)), draws)


def _decoded(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _first(is_bad: NDArray[np.bool_], column: int, problem: str) -> list[BadCell]:
    return [BadCell(int(row), column, problem) for row in np.flatnonzero(is_bad)[:1]]


def _doubles(column: pa.Array) -> tuple[Floats, NDArray[np.bool_]]:
    """The values, NaN for null, and which of them are no doubles. A decimal is read as its digits are in a CSV: the
    double that is nearest to it.
    """
    column = column.cast(_decoded(column.type))
    if pa.types.is_decimal(column.type):
        text = column.cast(pa.string()).fill_null("")
        numbers = by_rules(text.cast(pa.binary()), RULES)
        assert numbers is not None, "every decimal is a number"
    elif pa.types.is_boolean(column.type):
        numbers = _numpy(column.cast(pa.int8()))
    else:
        numbers = _numpy(column)
    inexact = np.zeros(len(column), np.bool_)
    if pa.types.is_integer(column.type):
        for row in np.flatnonzero(np.abs(numbers) >= WHOLE):
            inexact[row] = int(numbers[row]) != column[row].as_py()
    return numbers, inexact


def _numpy(column: pa.Array) -> Floats:
    numbers: Floats = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return numbers
