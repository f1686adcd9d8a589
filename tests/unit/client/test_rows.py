"""Rows of any kind of object become what the server takes."""

from collections import namedtuple
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

from linplane import Client
from linplane.bodies import encode_rows
from linplane.rows import row_of, rows_of
from unit.client.clients import URL, Adding

Home = namedtuple("Home", ["area", "rooms"])


class PolarsFrame:
    """As a DataFrame of polars 2.1: names in `columns`, rows by `iter_rows`, columns by their names; no `itertuples`.
    It is no Mapping and no Sequence, and iterating over it gives columns.
    """

    def __init__(self, columns: dict[str, list[Any]]) -> None:
        self._columns = columns

    @property
    def columns(self) -> list[str]:
        return list(self._columns)

    def iter_rows(self, *, named: bool = False, buffer_size: int = 512) -> Iterator[Any]:
        rows = zip(*self._columns.values(), strict=True)
        return (dict(zip(self._columns, row, strict=True)) for row in rows) if named else rows

    def __iter__(self) -> Iterator["PolarsSeries"]:
        return (PolarsSeries(column) for column in self._columns.values())

    def to_dict(self) -> dict[str, "PolarsSeries"]:
        return {name: PolarsSeries(column) for name, column in self._columns.items()}


class PolarsSeries:
    """As a Series of polars 2.1: `to_list` and `__array__`; no `to_dict`, and no Sequence."""

    def __init__(self, values: list[Any]) -> None:
        self._values = values

    def to_list(self) -> list[Any]:
        return self._values

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array(self._values, dtype)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)


COLUMNS = {"area": [70, 80], "rooms": [2.5, 3.5]}
NAMED = b'{"area":70,"rooms":2.5} {"area":80,"rooms":3.5}'
ORDERED = b"[70.0,2.5] [80.0,3.5]"
MATRIX = np.array([[70, 2.5], [80, 3.5]])


def encoded(rows: Any) -> bytes:
    """The rows as they are sent, with blanks between them."""
    return b" ".join(encode_rows(rows_of(rows)))


@pytest.mark.parametrize(
    ("rows", "sent"),
    [
        ([{"area": 70, "rooms": 2.5}, {"area": 80, "rooms": 3.5}], NAMED),
        (({"area": a, "rooms": r} for a, r in ((70, 2.5), (80, 3.5))), NAMED),
        ((Home(70, 2.5), Home(80, 3.5)), NAMED),
        (pd.DataFrame(COLUMNS), NAMED),
        (pd.DataFrame(COLUMNS, index=["x", "y"]), NAMED),
        (pd.DataFrame(COLUMNS).itertuples(index=False), NAMED),
        (pd.DataFrame(COLUMNS).to_dict("records"), NAMED),
        (PolarsFrame(COLUMNS), NAMED),
        (PolarsFrame(COLUMNS).iter_rows(named=True), NAMED),
        ([pd.DataFrame(COLUMNS).iloc[0]], b'{"area":70.0,"rooms":2.5}'),
        (pd.DataFrame(COLUMNS).to_numpy(), ORDERED),
        (MATRIX, ORDERED),
        (MATRIX.astype("float32"), ORDERED),
        (MATRIX[::-1].T.copy().T[::-1], ORDERED),
        (list(MATRIX), ORDERED),
        (MATRIX.tolist(), ORDERED),
        ([(70.0, 2.5), (80.0, 3.5)], ORDERED),
        ([PolarsSeries([70.0, 2.5]), PolarsSeries([80.0, 3.5])], ORDERED),
        (np.array([[1, 2], [3, 4]]), b"[1,2] [3,4]"),
        (np.array([[True, False]]), b"[true,false]"),
        (np.zeros((0, 2)), b""),
        (pd.DataFrame({"area": []}), b""),
        (PolarsFrame({"area": []}), b""),
        ([], b""),
    ],
)
def test_rows_are_sent_by_name_or_in_order(rows: Any, sent: bytes) -> None:
    assert encoded(rows) == sent


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (np.float64(0.1), b"0.1"),
        (np.float32(0.5), b"0.5"),
        (np.int8(-3), b"-3"),
        (np.bool_(True), b"true"),
        (np.array(2.5), b"2.5"),
        (Decimal("1.50"), b"1.50"),
        (Fraction(1, 4), b"0.25"),
        (2**70, b"1180591620717411303424"),
        (1e300, b"1e300"),
        (float("nan"), b"null"),
        (float("inf"), b"null"),
        (np.float32("nan"), b"null"),
        (None, b"null"),
        ("text", b'"text"'),
    ],
)
def test_value_is_sent_as_the_number_that_it_is(value: object, sent: bytes) -> None:
    """What is no number goes to the server, which names the place in its refusal."""
    assert encoded([{"area": value}]) == b'{"area":%b}' % sent
    assert encoded([[value]]) == b"[%b]" % sent


def test_frame_with_gaps_and_nullable_types_is_sent() -> None:
    frame = pd.DataFrame({"a": pd.array([1, 2], dtype="Int64"), "b": np.array([1, 2], "float32"), "c": [0.5, None]})
    assert encoded(frame) == b'{"a":1,"b":1.0,"c":0.5} {"a":2,"b":2.0,"c":null}'
    frame.loc[1, "a"] = pd.NA
    with pytest.raises(TypeError, match=r"row 1: .*NAType"):
        encoded(frame)


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ({"area": [70, 80]}, "a DataFrame, a matrix or an iterable of rows is needed, not dict"),
        ("area", "not str"),
        (b"area", "not bytes"),
        (7, "not int"),
        (None, "not NoneType"),
        ([70, 80], "row 0: a mapping, a sequence or an array of numbers is needed, not int"),
        ([[1], "area"], "row 1: .* not str"),
        (np.array([70.0, 80.0]), "row 0: .* not float64"),
        (pd.Series([70.0, 80.0]), "row 0: .* not float"),
        (PolarsSeries([70.0, 80.0]), "row 0: .* not float"),
        (pd.DataFrame(MATRIX), "need texts as names; for rows in order give a matrix"),
    ],
)
def test_rows_that_are_none_are_a_type_error(rows: Any, text: str) -> None:
    with pytest.raises(TypeError, match=text):
        list(rows_of(rows))


def test_duplicate_column_is_an_error() -> None:
    with pytest.raises(ValueError, match="a column of the DataFrame is duplicated"):
        list(rows_of(pd.DataFrame(MATRIX, columns=["area", "area"])))


@pytest.mark.parametrize("row", [np.float64(1), np.array(1.0), 1.0, "a", b"a", bytearray(b"a"), {1.0}])
def test_row_that_is_none_is_a_type_error(row: Any) -> None:
    with pytest.raises(TypeError, match="is needed, not"):
        row_of(row)


def test_predictions_fit_into_the_frame_that_they_are_of() -> None:
    frame = pd.DataFrame(COLUMNS, index=["x", "y"])
    with Client(URL, "homes", transport=httpx.MockTransport(Adding())) as client:
        frame["sum"] = client.predict_rows(frame).values
        assert frame.loc["y", "sum"] == 83.5 == client.predict(frame.loc["y", ["area", "rooms"]]).value
        assert np.array_equal(client.predict_rows(frame[["area", "rooms"]].to_numpy()).values, [72.5, 83.5])
