"""Reads JSON bodies strictly: pure. What all client protocols share that send JSON.

`read_json` is for clients whose bodies differ from ours. Its fast path is one typed decode, which makes every number a
float. What that refuses (deeper nesting, a number out of range, text that is not JSON) is parsed again by
`lenient_json`, so that the error has a place. No error repeats a value of the body.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any, TypeVar

import msgspec

from linplane_api.canonical import MAX_DEPTH, FormatError, parse_json

from ..errors import Invalid, Malformed
from ..predict.interface import Slices
from ..predict.rows import Row, escape, unknown_names
from .lenient_json import parse_leniently

T = TypeVar("T")

REFUSED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""Exceptions of a decoder of msgspec."""

DECODED = 1 << 15
"""Bytes that are decoded at once: half a millisecond, or two for rows of one digit."""

SLICE_NUMBERS = 1 << 12
"""Numbers that are read at once, of rows or of a column."""

_Scalar = float | bool | str | None
_Row = _Scalar | list[_Scalar] | dict[str, _Scalar]
_Rows = _Scalar | list[_Row] | dict[str, _Row]
_decode = msgspec.json.Decoder(dict[str, _Scalar | list[_Rows] | dict[str, _Rows]]).decode
_decode_any = msgspec.json.Decoder().decode

_NUMBERS = frozenset({float, bool})
_CONTAINERS = frozenset({dict, list})


def read_json(data: bytes, read: Callable[[dict[str, Any]], Slices[T]]) -> Slices[T]:
    """Returns what `read` makes of the body, an object whose numbers are floats. Raises Malformed, Invalid, and what
    `read` raises. A body over DECODED bytes is parsed leniently in any case, as a decode cannot be interrupted.
    """
    try:
        body = _decode(data) if len(data) <= DECODED else None
    except REFUSED:
        body = None
    if body is None:
        body = yield from parse_leniently(data)
        result = yield from read(need(body, dict, ""))  # raises Invalid at the place of a number that is not finite
        check_decodable(data)
        return result
    # The decoder accepts a duplicate key and keeps the last value; see `check_duplicates`.
    if data.count(b":") != _keys(body):
        check_duplicates(data)
    return (yield from read(body))


def check_decodable(data: bytes) -> None:
    """Raises Malformed for what `parse_leniently` accepts and RFC 8259 does not, for which there is no place."""
    try:
        _decode_any(data)
    except REFUSED:
        raise Malformed("not JSON: a number is out of range, or a text is not valid Unicode") from None


def _keys(value: Mapping[str, Any] | Sequence[Any]) -> int:
    """Counts the keys of all objects in a decoded value."""
    inner: Iterable[Any] = value.values() if isinstance(value, dict) else value
    count = len(value) if isinstance(value, dict) else 0
    if _CONTAINERS.isdisjoint(map(type, inner)):
        return count
    return count + sum([_keys(item) for item in inner if type(item) in _CONTAINERS])


def check_duplicates(data: bytes) -> None:
    """Raises Malformed if an object has a duplicate key.

    Takes several times as long as a typed decode, which keeps the last value. Each key in the JSON text is followed by
    a colon, so this is needed only if there are more colons than decoded keys: a duplicate, or a colon inside a text.
    """
    try:
        parse_json(data)
    except FormatError as error:
        raise Malformed(error.problem) from None


def check_depth(data: bytes) -> None:
    """Raises Malformed if objects and arrays are nested in more than MAX_DEPTH levels. Without this bound the free
    stack would decide, which is not the same for all callers.
    """
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return
    brackets = _text.sub(b"", data).translate(_SQUARE, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):  # the innermost level of all; much faster than a loop over the brackets
        if not brackets:
            return
        brackets = brackets.replace(b"[]", b"")
    if max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > 0:
        raise Malformed("not JSON: nested too deep")


_text = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_STEP = {ord("["): 1, ord("]"): -1}
_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


def floats(values: Sequence[Any]) -> list[float] | None:
    """Returns the values as floats, true and false as 1 and 0; None if one of them is not a finite number."""
    types = set(map(type, values))
    if not types <= _NUMBERS:
        return None
    numbers = list(values if bool not in types else map(float, values))
    return numbers if all(map(math.isfinite, numbers)) else None


def as_row(value: Any, place: str, accepted: frozenset[str]) -> Row:
    """Returns a row: an object or an array of numbers. Raises Invalid; `place` is its JSON pointer."""
    if isinstance(value, dict):
        numbers = floats(list(value.values()))
        if numbers is not None:
            return dict(zip(value, numbers, strict=True))
    elif isinstance(value, list):
        numbers = floats(value)
        if numbers is not None:
            return numbers
    raise wrong_row(value, place, accepted) or AssertionError


def rows_at_once(first: Any) -> int:
    """Returns how many rows are read in a slice, by the first."""
    width = len(first) if isinstance(first, list | dict) else 1
    return max(64, min(1024, SLICE_NUMBERS // max(1, width)))


def as_rows(value: Any, place: str, read: Callable[[Any, str], Row]) -> Slices[list[Row]]:
    """Returns the rows of an array with at least one; `read` makes one, of its value and its JSON pointer."""
    rows: list[Any] = need(value, list, place)
    if not rows:
        raise Invalid(place, "at least one row is needed")
    step = rows_at_once(rows[0])
    for number, row in enumerate(rows):  # in place, so that a large body is not in memory twice
        rows[number] = read(row, f"{place}/{number}")
        if number % step == step - 1:
            yield
    return rows


def need(value: Any, kind: type[T], place: str, why: str = "") -> T:
    """Returns the value. Raises Invalid if it is not of this type of JSON; `why` follows in the message."""
    if type(value) is not kind:
        raise Invalid(place, f"{_NAMES[kind]} is needed, not {json_type(value)}{why}")
    return value


def only_one(body: Mapping[str, Any], fields: Sequence[str]) -> str:
    """Returns the one of these fields that the body has. Raises Invalid if it has none or several."""
    found = [name for name in fields if name in body]
    if len(found) != 1:
        raise Invalid("", f"exactly one of {', '.join(fields[:-1])} and {fields[-1]} is needed")
    return found[0]


def column(values: Any, place: str) -> Slices[list[float]]:
    """Returns the numbers of an array. Raises Invalid."""
    result: list[float] = []
    for begin in range(0, len(need(values, list, place)), SLICE_NUMBERS):
        some = values[begin : begin + SLICE_NUMBERS]
        numbers = floats(some)
        if numbers is None:
            raise next(wrong for i, value in enumerate(some, begin) if (wrong := wrong_number(value, f"{place}/{i}")))
        result += numbers
        yield
    return result


def wrong_row(row: Any, place: str, accepted: frozenset[str]) -> Invalid | None:
    """Returns the first error in a row. It names features of `accepted` in the pointer, and others in the detail."""
    if isinstance(row, dict):
        return next(
            (wrong for name, value in row.items() if (wrong := _wrong_value(value, name, row, place, accepted))),
            None,
        )
    if isinstance(row, list):
        return next((wrong for i, value in enumerate(row) if (wrong := wrong_number(value, f"{place}/{i}"))), None)
    return Invalid(place, f"an object or an array is needed, not {json_type(row)}")


def wrong_number(value: Any, place: str) -> Invalid | None:
    """Returns the error if a value is not a finite number."""
    if type(value) in _NUMBERS and math.isfinite(value):
        return None
    return Invalid(place, f"a finite number is needed, not {json_type(value)}")


def _wrong_value(value: Any, name: str, row: Mapping[str, Any], place: str, accepted: frozenset[str]) -> Invalid | None:
    wrong = wrong_number(value, f"{place}/{escape(name)}")
    if wrong is None or name in accepted:
        return wrong
    unknown, rest = unknown_names(row, accepted), "send only features of the route"
    return Invalid(place, f"{unknown.named}; {rest}", nameless=f"{unknown.counted}; {rest}")


_NAMES: Mapping[type, str] = {
    str: "a text",
    bool: "a boolean",
    dict: "an object",
    list: "an array",
    type(None): "null",
}


def json_type(value: Any) -> str:
    """Returns the type of a value of JSON, for a message."""
    if isinstance(value, float):
        return "a number" if math.isfinite(value) else "NaN, an infinity or a number out of range"
    return _NAMES[type(value)]
