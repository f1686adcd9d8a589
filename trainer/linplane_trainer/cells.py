"""Cells of text become numbers. PURE: says which cell is wrong and how, never what stands in it."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .fit.model import Batch
from .fit.scaling import Floats

GAPS = pa.array(["", "na", "n/a", "nan", "null"])  # in any case, blanks around them ignored


@dataclass(frozen=True)
class Wrong:
    """A cell that is neither a number nor a gap; `column` and `row` from 0, among those that were asked for."""

    row: int
    column: int
    problem: str


def batch_of(columns: list[pa.Array]) -> Batch | Wrong:
    """Columns of bytes, equally long, as rows; those with a gap are left out."""
    rows = len(columns[0])
    flat = pa.concat_arrays(columns)  # one call of each kernel, however many columns there are
    numbers = _numbers(flat)
    if numbers is None or np.isinf(numbers).any():
        return _first_wrong(columns)
    values = np.ascontiguousarray(numbers.reshape(len(columns), rows).T)
    kept = np.asarray(~np.isnan(values).any(axis=1))
    return Batch(values[kept], kept)


def is_numeric(column: pa.Array) -> bool:
    """Whether what is no gap is a number, and there is one."""
    numbers = _numbers(column)
    return numbers is not None and not np.isnan(numbers).all()


def _numbers(cells: pa.Array) -> Floats | None:
    """NaN for a gap; None where a cell is no number."""
    try:
        text = pc.utf8_trim_whitespace(cells.cast(pa.string()))
        gaps = pc.is_in(pc.utf8_lower(text), value_set=GAPS)
        numbers = pc.if_else(gaps, None, text).cast(pa.float64())
    except pa.ArrowInvalid:  # its message quotes the cell, so it goes no further
        return None
    result: Floats = numbers.to_numpy(zero_copy_only=False)
    return result


def _first_wrong(columns: list[pa.Array]) -> Wrong:
    found = [
        Wrong(row, number, _problem(column[row : row + 1]))
        for number, column in enumerate(columns)
        if (row := _wrong_row(column)) is not None
    ]
    return min(found, key=lambda wrong: (wrong.row, wrong.column))


def _wrong_row(column: pa.Array) -> int | None:
    """The first cell that is wrong: as many halvings as it takes."""
    if _right(column):
        return None
    start, end = 0, len(column)  # the first wrong one is in [start, end)
    while end - start > 1:
        middle = (start + end) // 2
        start, end = (middle, end) if _right(column[start:middle]) else (start, middle)
    return start


def _right(cells: pa.Array) -> bool:
    numbers = _numbers(cells)
    return numbers is not None and not np.isinf(numbers).any()


def _problem(cell: pa.Array) -> str:
    try:
        cell.cast(pa.string())
    except pa.ArrowInvalid:
        return "is not UTF-8 text"
    return "is not a number" if _numbers(cell) is None else "is infinite, or too large for a double"
