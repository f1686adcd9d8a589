"""Reads rows of any kind without importing the library that made them: pure.

A row is what the server takes: numbers by feature name, or numbers in the order of the route's features.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable


class _Array(Protocol):
    """An array of numpy, a Series of polars, or another library's."""

    def __array__(self) -> Any: ...


class _Series(Protocol):
    """A row of a DataFrame of pandas, indexed by the names of the columns."""

    def to_dict(self) -> Any: ...


class _Record(Protocol):
    """A named tuple."""

    def _asdict(self) -> Any: ...


@runtime_checkable
class _PandasFrame(Protocol):
    columns: Any

    def itertuples(self, index: bool, name: None) -> Iterator[tuple[Any, ...]]: ...


@runtime_checkable
class _PolarsFrame(Protocol):
    columns: Any

    def iter_rows(self) -> Iterator[tuple[Any, ...]]: ...


Row = Mapping[str, Any] | Sequence[Any] | _Array | _Series | _Record
"""One row: numbers by feature name (a dict, a named tuple, a Series of pandas), or in the route's order (a sequence, an
array).
"""

Rows = Iterable[Any] | _PandasFrame | _PolarsFrame
"""Several rows: a DataFrame of pandas or polars, a matrix of numpy, or an iterable of Row."""

Plain = Mapping[str, Any] | list[Any]


def row_of(row: Row) -> Plain:
    """Returns a row by name or in order. Raises TypeError if it is neither."""
    if isinstance(row, Mapping | list):
        return row
    found: Any = None
    if hasattr(row, "_asdict"):  # isinstance of a Protocol takes 20 times as long
        found = row._asdict()
    elif hasattr(row, "to_dict"):
        found = row.to_dict()
    elif hasattr(row, "__array__"):
        found = row.__array__().tolist()
    elif isinstance(row, Sequence) and not isinstance(row, str | bytes | bytearray):
        found = list(row)
    if isinstance(found, Mapping | list):
        return found
    raise TypeError(f"a mapping, a sequence or an array of numbers is needed, not {type(row).__name__}")


def rows_of(rows: Rows) -> Iterator[Plain]:
    """Iterates over rows, one at a time, so that `rows` may be larger than memory. Raises TypeError or ValueError, with
    the number of the row.
    """
    if isinstance(rows, _PandasFrame):
        return _named(rows.columns, rows.itertuples(index=False, name=None))
    if isinstance(rows, _PolarsFrame):
        return _named(rows.columns, rows.iter_rows())
    if isinstance(rows, Mapping | str | bytes | bytearray) or not isinstance(rows, Iterable):
        raise TypeError(f"a DataFrame, a matrix or an iterable of rows is needed, not {type(rows).__name__}")
    return _each(rows)


def _each(rows: Iterable[Any]) -> Iterator[Plain]:
    for number, row in enumerate(rows):
        try:
            yield row_of(row)
        except TypeError as error:
            raise TypeError(f"row {number}: {error}") from error


def _named(columns: Iterable[Any], rows: Iterator[tuple[Any, ...]]) -> Iterator[Plain]:
    names = list(columns)
    if not all(isinstance(name, str) for name in names):
        raise TypeError("the columns of the DataFrame need texts as names; for rows in order give a matrix")
    if len(set(names)) < len(names):
        raise ValueError("a column of the DataFrame is duplicated")
    return (dict(zip(names, row, strict=True)) for row in rows)
