"""Reads the tables in JSON bodies of MLflow: pure. Columns that the route does not have are dropped unread.

`dataframe_split`: `{"columns": [...], "data": [[...], ...]}`. `dataframe_records` and `instances`: rows by name.
`inputs`: rows by name, or an object of columns. Exactly one of them; other fields are ignored, as MLflow does.
"""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from ..errors import Invalid
from ..predict.interface import Asked, Slices
from ..predict.rows import Row, escape
from .json_body import as_row, as_rows, column, floats, need, only_one, rows_at_once, wrong_number

_BY_NAME = ": columns are matched by name"


def read_tables(accepted: frozenset[str], body: Mapping[str, Any]) -> Slices[Asked]:
    """Returns the rows by name, with columns of `accepted` only. Raises Invalid."""
    form = only_one(body, tuple(_FORMS))
    params = body.get("params")
    if params is not None:
        need(params, dict, "/params")
    key = need(params["key"], str, "/params/key") if params and "key" in params else None
    rows, place = yield from _FORMS[form](body[form], f"/{form}", accepted)
    return Asked(rows, place, key)


Table = tuple[list[Row], Callable[[int], str]]
"""Rows, and the JSON pointer of each."""


def _split(table: Any, place: str, accepted: frozenset[str]) -> Slices[Table]:
    need(table, dict, place)
    names, data = table.get("columns"), table.get("data")
    need(names, list, f"{place}/columns")
    for number, name in enumerate(names):
        need(name, str, f"{place}/columns/{number}")
    kept = [(number, name) for number, name in enumerate(names) if name in accepted]
    features = [name for _, name in kept]
    if len(set(features)) != len(features):
        raise Invalid(f"{place}/columns", "a feature is given by more than one column")

    def read(row: Any, place: str) -> Row:
        need(row, list, place)
        if len(row) != len(names):
            raise Invalid(place, f"as many values as columns are needed: {len(names)}; {len(row)} are given")
        numbers = floats([row[number] for number, _ in kept] if len(kept) < len(names) else row)
        if numbers is None:
            raise next(wrong for number, _ in kept if (wrong := wrong_number(row[number], f"{place}/{number}")))
        return dict(zip(features, numbers, strict=True))

    return (yield from as_rows(data, f"{place}/data", read)), f"{place}/data/{{}}".format


def _records(table: Any, place: str, accepted: frozenset[str]) -> Slices[Table]:
    def read(row: Any, place: str) -> Row:
        if isinstance(row, dict) and not row.keys() <= accepted:
            row = {name: value for name, value in row.items() if name in accepted}
        need(row, dict, place, _BY_NAME)
        return as_row(row, place, accepted)

    return (yield from as_rows(table, place, read)), f"{place}/{{}}".format


def _inputs(table: Any, place: str, accepted: frozenset[str]) -> Slices[Table]:
    if isinstance(table, list):
        return (yield from _records(table, place, accepted))
    need(table, dict, place, _BY_NAME)
    columns: dict[str, Any] = {name: values for name, values in table.items() if name in accepted}
    if columns and not any(isinstance(values, list) for values in columns.values()):
        return [as_row(columns, place, accepted)], lambda _: place  # MLflow takes an object of numbers as one row
    numbers = {}
    for name, values in columns.items():
        numbers[name] = yield from column(values, f"{place}/{escape(name)}")
    return (yield from _rows_of_columns(numbers, place))


def _rows_of_columns(columns: dict[str, list[float]], place: str) -> Slices[Table]:
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise Invalid(place, "the columns differ in length")
    if not columns or lengths == {0}:
        raise Invalid(place, "at least one row is needed, in columns that are features of this route")
    rows: list[Row] = []
    every, step = zip(*columns.values(), strict=True), rows_at_once(columns)
    while some := [dict(zip(columns, values, strict=True)) for values in islice(every, step)]:
        rows += some
        yield
    return rows, lambda number: f"{place} (row {number + 1})"


_FORMS: dict[str, Callable[[Any, str, frozenset[str]], Slices[Table]]] = {
    "dataframe_split": _split,
    "dataframe_records": _records,
    "instances": _records,
    "inputs": _inputs,
}
