"""The fast way from cells to numbers takes what the rules take, and reads the same doubles."""

import struct

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_trainer.data.csv_cells import BadCell, batch_of
from linplane_trainer.data.csv_numbers import NumberRules, by_rules, numbers_of
from linplane_trainer.holdout import Holdout, HoldoutDraws

ODD = [
    "1", "1.5", " 1.5 ", "\t2", "+5", "-5", ".5", "5.", "1e5", "1E5", "1e+5", "1e400", "-1e400", "1e-400", "007", "+",
    "-", ".", "inf", "Infinity", "-inf", "nan", "NaN", "nAn", "-nan", "nan(1)", " NA ", "NA", "n/a", "N/A", "null",
    "NULL", "", " ", "'4'", "1_000", "1,5", "0x10", "0x1p3", "1.5f", "\uff11\uff12", "\u22125", "1 2", "true",
    "FALSE", " True ", "1e", "e5", "--1", "+-5", "1d5", "0.1", "1\0", "5%", "$5", "\u0663", "\xa05", "5\xa0",
    "\u20035", "5\u2003", "yes", "word", "123456789012345678901234567890", "9007199254740993",
    "1.7976931348623159e308", "4.9e-324", "2.4703282292062327e-324", "1e0000000005", "+.5e-3",
]  # fmt: skip
PLAIN = NumberRules()
DRAWS = HoldoutDraws(Holdout()).draw(3)
CELLS = [cell.encode() for cell in ODD] + [b"\xff", b"1\xff", b"5\xc3"]

doubles = st.floats().map(repr) | st.floats().map("{:.3f}".format) | st.integers().map(str)
texts = doubles | st.sampled_from(ODD) | st.text(".?-+eEinfaNIF0123456789 _,xL\u0661\t", max_size=9)
cells = texts.map(str.encode) | st.sampled_from(CELLS) | st.binary(max_size=4)


def bits(numbers):
    """Equal for equal doubles, and for any two NaN."""
    return None if numbers is None else [None if one != one else struct.pack("<d", one) for one in numbers.tolist()]


def read(columns, rules=PLAIN):
    return bits(numbers_of([rules.with_points(column) for column in columns], rules))


def by_rules_each(column, rules=PLAIN):
    """The rules for each cell by itself."""
    found = [by_rules(rules.with_points(pa.array([cell], pa.binary())), rules) for cell in column]
    return None if any(one is None for one in found) else bits(np.concatenate([np.empty(0), *found]))


@pytest.mark.parametrize("cell", CELLS, ids=ascii)
def test_odd_cell_is_read_as_by_the_rules(cell):
    """Alone, and between others of its column."""
    for others in ([], [b"1.5"], [b"NA", b"7"], [b"true"]):
        column = pa.array([*others, cell, *others], pa.binary())
        assert read([column]) == by_rules_each(column.to_pylist())


@given(
    st.lists(st.lists(cells, min_size=5, max_size=5), min_size=1, max_size=4),
    st.integers(0, 5),
    st.integers(0, 5),
    st.builds(NumberRules, st.booleans(), st.lists(texts.filter(bool), max_size=2).map(tuple)),
)
def test_columns_are_read_as_by_the_rules(table, start, end, rules):
    """Each cell by itself; a part of a larger array too; whatever words are gaps."""
    columns = [pa.array(column, pa.binary())[start:end] for column in table]
    expected = [cell for column in table for cell in column[start:end]]
    assert read(columns, rules) == by_rules_each(expected, rules)


@given(st.lists(doubles, min_size=1))
def test_number_is_the_double_that_python_reads(column):
    assert read([pa.array(column, pa.binary())]) == bits(np.array(column, float))


def test_bad_cell_is_the_first_by_row_then_by_column():
    """Among columns of which some need the rules."""
    columns = [[b"1", b"2 ", b"3"], [b"", b"inf", b"x"], [b"NA", b"true", b"y"], [b"1", b"\xff", b"2"]]
    arrays = [pa.array(column, pa.binary()) for column in columns]
    assert batch_of(arrays, PLAIN, DRAWS) == BadCell(1, 1, "is infinite, or too large for a double")
    assert batch_of([arrays[0], arrays[3]], PLAIN, DRAWS) == BadCell(1, 1, "is not UTF-8 text")
    assert batch_of([arrays[2], arrays[0]], PLAIN, DRAWS) == BadCell(2, 0, "is not a number")


def test_rows_with_gaps_are_left_out():
    columns = [pa.array(column, pa.binary()) for column in ([b"1", b" ", b"3"], [b"true", b"2", b"5 "])]
    batch = batch_of(columns, PLAIN, DRAWS)
    assert batch.kept.tolist() == [True, False, True]
    assert batch.values.tolist() == [[1, 1], [3, 5]]
    assert batch.values.flags.c_contiguous
