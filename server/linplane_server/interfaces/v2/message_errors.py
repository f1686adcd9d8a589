"""Names the place of the error in a request that the typed decode of `messages` refuses: pure."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from ...errors import Invalid
from ...predict.interface import Slices
from ..json_body import floats, json_type, need, rows_at_once

Check = Callable[[Any, str], Slices[None] | None]
"""Raises Invalid if a value, at a JSON pointer, is not of its type; in slices, or at once."""


def check_request(body: Any) -> Slices[None]:
    """Raises Invalid for the first member of the wrong type, or that is missing. Numbers in `body` are floats."""
    yield from _checked(_REQUEST, body, "")


def _checked(check: Check, value: Any, place: str) -> Slices[None]:
    slices = check(value, place)
    if slices is not None:
        yield from slices


def _text(value: Any, place: str) -> None:
    need(value, str, place)


def _parameters(value: Any, place: str) -> None:
    need(value, dict, place)


def _dimension(value: Any, place: str) -> None:
    if type(value) is not float:
        raise Invalid(place, f"an integer is needed, not {json_type(value)}")
    if not value.is_integer():  # neither is an infinity
        raise Invalid(place, "an integer is needed")


def _number(value: Any, place: str) -> None:
    if type(value) is not float and type(value) is not bool:
        raise Invalid(place, f"a number is needed, not {json_type(value)}")
    if not math.isfinite(value):
        raise Invalid(place, f"a finite number is needed, not {json_type(value)}")


def _row_or_number(value: Any, place: str) -> None:
    if type(value) is not list:
        _number(value, place)
    elif floats(value) is None:  # which is much faster than each number by itself
        for number, item in enumerate(value):
            _number(item, f"{place}/{number}")


def _data(value: Any, place: str) -> Slices[None]:
    values = need(value, list, place)
    step = rows_at_once(values[0] if values else None)
    for begin in range(0, len(values), step):
        some = values[begin : begin + step]
        if floats(some) is None:
            for number, item in enumerate(some, begin):
                _row_or_number(item, f"{place}/{number}")
        yield


def _array(check: Check) -> Check:
    def check_array(value: Any, place: str) -> Slices[None]:
        for number, item in enumerate(need(value, list, place)):
            yield from _checked(check, item, f"{place}/{number}")

    return check_array


def _object(needed: Mapping[str, Check], others: Mapping[str, Check]) -> Check:
    """`others` may be missing or null."""

    def check_object(value: Any, place: str) -> Slices[None]:
        need(value, dict, place)
        for name, check in needed.items():
            if name not in value:
                raise Invalid(place, f'the member "{name}" is missing')
            yield from _checked(check, value[name], f"{place}/{name}")
        for name, check in others.items():
            if value.get(name) is not None:
                yield from _checked(check, value[name], f"{place}/{name}")

    return check_object


_INPUT = _object(
    {"name": _text, "shape": _array(_dimension), "datatype": _text},
    {"parameters": _parameters, "data": _data},
)
_OUTPUT = _object({"name": _text}, {"parameters": _parameters})
_REQUEST = _object({"inputs": _array(_INPUT)}, {"id": _text, "parameters": _parameters, "outputs": _array(_OUTPUT)})
