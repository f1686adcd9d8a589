"""Computes predictions of rows: pure. Features are matched by name; an array is accepted only if its order is certain,
see `state.array_order`.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Annotated, Any, NamedTuple

from msgspec import Meta

from linplane_api.artifact import PredictionError, RowError, predict
from linplane_api.display import display_name
from linplane_api.report import MAX_LISTED
from linplane_api.split import Group, feature_key

from ..errors import Invalid, MissingFeature
from ..state.blocks import BlockSums
from ..state.snapshot import Route, Version
from .matrix import Matrix

_ByName = Annotated[dict[str, float], Meta(description="Numbers by feature name, in any order.")]
_InOrder = Annotated[
    list[float],
    Meta(description="Numbers in the order of the features, if that is certain."),
]

Row = _ByName | _InOrder

LISTED = 20
"""Maximum number of feature names in a message."""

NOT_FINITE = "a finite number is needed, not NaN, an infinity or a number out of range"

BLOCK_NUMBERS = 1 << 13
"""Numbers that are computed at once, of a batch that is computed in slices."""

BLOCK_ROWS = 256
"""The least number of rows for which a block takes less time than row by row, with any number of features (measured:
at 256 rows 1.3 times as fast for 1 feature, 1.9 times for 100, and 4 times for many rows).
"""


MATRIX_ROWS = 64
"""The same for a matrix, whose numbers need not be made of Python's."""


def in_blocks(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Yields the rows in blocks for slices of work."""
    step = BLOCK_ROWS if not rows else min(4 * BLOCK_ROWS, max(BLOCK_ROWS, BLOCK_NUMBERS // max(1, len(rows[0]))))
    for begin in range(0, len(rows), step):
        yield rows[begin : begin + step]


def compute_rows(
    route: Route,
    version: Version,
    rows: Sequence[Row],
    place: Callable[[int], str],
    blocks: Callable[[], BlockSums | None],
) -> Sequence[float]:
    """Returns the prediction of each row. `place` returns a row's place in the body by its number. Raises Invalid for
    the first row that is wrong.

    `blocks` is called for at least BLOCK_ROWS; the numbers and errors are the same, whatever it returns.
    """
    if type(rows) is list and len(rows) == 1:  # first, as most requests are
        return [compute(route, version, rows[0], place(0))]
    if isinstance(rows, Matrix):
        return _compute_matrix(route, version, rows, place, blocks)
    sums = blocks() if len(rows) >= BLOCK_ROWS else None
    if sums is not None:
        with suppress(Invalid, PredictionError):  # the first wrong row is found below, and named
            values = [_values(route, version, row, "") for row in rows]
            return sums.predict_rows(version.coefficients, version.intercept, values)
    return [compute(route, version, row, place(number)) for number, row in enumerate(rows)]


def _compute_matrix(
    route: Route,
    version: Version,
    rows: Matrix,
    place: Callable[[int], str],
    blocks: Callable[[], BlockSums | None],
) -> Sequence[float]:
    sums = blocks() if len(rows) >= MATRIX_ROWS else None
    begin = 0
    if sums is not None:
        try:
            return sums.predict_raw(version.coefficients, version.intercept, rows.raw, rows.code)
        except RowError as error:  # which is raised for a value that is not finite too
            begin = error.row
    result = []
    for number in range(begin, len(rows)):
        row = rows[number]
        if not all(map(math.isfinite, row)):
            raise Invalid(place(number), NOT_FINITE)
        result.append(compute(route, version, row, place(number)))
    return result


def compute(route: Route, version: Version, row: Row, place: str) -> float:
    """Returns the prediction of one row. `place` is its JSON pointer. Raises Invalid."""
    values = _values(route, version, row, place)
    try:
        return predict(version.coefficients, version.intercept, values)
    except PredictionError:
        raise Invalid(
            place, "the prediction is not a finite number: these values are too large", version.name
        ) from None


def _values(route: Route, version: Version, row: Row, place: str) -> Sequence[float]:
    if type(row) is not dict:
        return _checked(route, row, place)  # type: ignore[arg-type]
    try:
        values = version.values(row)
    except KeyError:
        raise _missing(route, version, row, place) from None
    if len(row) != version.width and not row.keys() <= route.accepted:
        raise _unknown(route, row, place, version.name)
    return values


def values_key(route: Route, rows: Sequence[Row], place: Callable[[int], str]) -> str:
    """Returns the split's key by the values: an array and an object of the same values get the same version. `place`
    returns a row's place in the body by its number. Raises Invalid.
    """
    return feature_key(groups_of(route, rows, place))


def _names(row: Row) -> tuple[str, ...] | None:
    return tuple(row) if type(row) is dict else None


def groups_of(route: Route, rows: Sequence[Row], place: Callable[[int], str]) -> Iterator[Group]:
    """Yields the rows for a key by the values. Raises Invalid."""
    number = 0
    for names, same in groupby(rows, _names):
        group: list[Any] = list(same)
        if names is None:
            if route.order is None or set(map(len, group)) != {len(route.order)}:
                for wrong, row in enumerate(group, number):
                    _checked(route, row, place(wrong))
            yield route.order or (), group
        elif route.accepted.issuperset(names):
            yield names, map(dict.values, group)
        else:
            raise _unknown(route, group[0], place(number), None)
        number += len(group)


def _checked(route: Route, row: list[float], place: str) -> list[float]:
    if route.order is None:
        raise no_order(route, place, "an object is needed")
    if len(row) != len(route.order):
        count, verb = len(route.order), "is" if len(row) == 1 else "are"
        needed = "1 value is needed" if count == 1 else f"{count} values are needed"
        given = f"{len(row)} {verb} given"
        order = f"in this order: {_list(route.order)}"
        raise Invalid(place, f"{needed}, {order}; {given}", nameless=f"{needed}; {given}")
    return row


def no_order(route: Route, place: str, need: str) -> Invalid:
    """Returns the error in an array. It names the versions because of which none is accepted, and the current one;
    `need` says what is needed in its place.
    """
    marked = [f"{name} (current)" if name == route.current_name else name for name in route.disagreeing]
    why = "of this route do not declare the same features in the same order: send features by name"
    return Invalid(place, f"{need}: the versions {_joined(marked)} {why}", nameless=f"{need}: the versions {why}")


def check_names(route: Route, version: Version, names: Iterable[str], place: str) -> None:
    """Raises Invalid if rows that have the features `names` cannot be computed."""
    _values(route, version, dict.fromkeys(names, 0.0), place)


def _missing(route: Route, version: Version, row: Mapping[str, float], place: str) -> MissingFeature:
    missing = [name for name in version.features if name not in row]
    detail = f"version {version.name} needs the feature {display_name(missing[0])}"
    if len(missing) > 1:
        detail = f"version {version.name} needs {len(missing)} features that are not given: {_list(missing)}"
    count = "a feature that is needed is" if len(missing) == 1 else f"{len(missing)} features that are needed are"
    nameless = f"{count} not given"
    if not row.keys() <= route.accepted:  # a misspelt name, or one with look-alike characters
        unknown = unknown_names(row, route.accepted)
        detail, nameless = f"{detail}; {unknown.named}", f"{nameless}; {unknown.counted}"
    place_of_first = f"{place}/{escape(missing[0])}"
    return MissingFeature(place_of_first, detail, version.name, missing[:MAX_LISTED], row=place, nameless=nameless)


def _unknown(route: Route, row: Mapping[str, float], place: str, version: str | None) -> Invalid:
    unknown = unknown_names(row, route.accepted)
    features = route.features
    takes = f"{unknown.named}; the route takes {_list(features)}"
    return Invalid(place, takes, version, f"{unknown.counted}; the route takes {len(features)}")


class UnknownNames(NamedTuple):
    """The part of a message about features that are not accepted: with their names, and with their number."""

    named: str
    counted: str


def unknown_names(row: Iterable[str], accepted: frozenset[str]) -> UnknownNames:
    """Describes the features of a row, in its order, that are not accepted."""
    unknown = [name for name in row if name not in accepted]
    features = "features" if len(unknown) > 1 else "feature"
    return UnknownNames(f"unknown {features} {_list(unknown)}", f"{len(unknown)} unknown {features}")


def _list(names: Sequence[str]) -> str:
    """Formats names in the order given: the reader of a message may fill an array in that order."""
    return ", ".join(map(display_name, names[:LISTED])) + _more(names)


def _joined(names: Sequence[str]) -> str:
    return ", ".join(names[:LISTED]) + _more(names)


def _more(names: Sequence[str]) -> str:
    return f" and {len(names) - LISTED} more" if len(names) > LISTED else ""


def escape(name: str) -> str:
    """Escapes a name as a token of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")
