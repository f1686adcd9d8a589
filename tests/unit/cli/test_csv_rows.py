"""Tables of numbers, by properties: what is written is read again, and any text is a table or an error."""

import contextlib
import csv
import io
from collections.abc import Sequence
from math import isfinite

from hypothesis import given
from hypothesis import strategies as st

from linplane_cli.csv_rows import RowError, from_csv, number

CELLS = st.floats(allow_nan=False, allow_infinity=False)
ROWS = st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1)


@given(ROWS, st.lists(st.sampled_from("abc"), unique=True, min_size=1))
def test_written_table_is_read_again(rows: list[list[float]], features: Sequence[str]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["a", "b", "c"], *rows])
    text.seek(0)
    found = list(from_csv(text, features))
    assert [place for place, _ in found] == list(range(2, len(rows) + 2))
    assert [row for _, row in found] == [{name: row["abc".index(name)] for name in features} for row in rows]


@given(st.text())
def test_any_text_is_a_table_or_an_error(text: str) -> None:
    with contextlib.suppress(RowError):
        for place, row in from_csv(io.StringIO(text, newline=""), None):
            assert place > 1
            assert all(isfinite(value) for value in row.values())


@given(CELLS)
def test_number_is_the_one_that_is_written(value: float) -> None:
    assert number(repr(value)) == value
    assert number(f"  {value!r}\t") == value
