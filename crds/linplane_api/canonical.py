"""Canonical bytes and their digest: equal values give equal bytes (RFC 8785, the JSON Canonicalization Scheme)."""

import hashlib
import json
import math
import sys
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Annotated, Any, TypeVar

import msgspec
import rfc8785

T = TypeVar("T")

Format = Annotated[int, msgspec.Meta(ge=1)]

MAX_DEPTH = 64
"""Levels of objects and arrays in a document."""


class FormatError(ValueError):
    """A malformed document: `path` is the place, `problem` the reason. Neither repeats a value."""

    def __init__(self, path: str, problem: str) -> None:
        """`path` is like `spec.split[0].percent`; empty for the document itself."""
        super().__init__(f"{path}: {problem}" if path else problem)
        self.path = path
        self.problem = problem


class FormatNotSupportedError(FormatError):
    """A document of a format that this release does not read: written by a later release."""


def canonical_bytes(value: object) -> bytes:
    """The RFC 8785 form of a JSON value. Raises FormatError for values that JSON does not have (NaN, an integer past
    2^53, half of a surrogate pair) and for more than 64 levels, which the caller's stack must not decide.
    """
    with suppress(_RareError, UnicodeEncodeError):
        return _ENCODER.encode(_common(value, MAX_DEPTH))
    if not _is_shallow(value, MAX_DEPTH):
        raise _too_deep()
    try:
        return rfc8785.dumps(value)  # type: ignore[arg-type]
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise FormatError("", f"not representable as canonical JSON: {type(error).__name__}") from error


_ENCODER = msgspec.json.Encoder(order="sorted")


def _too_deep() -> FormatError:
    return FormatError("", f"nested deeper than {MAX_DEPTH} levels")


def _is_shallow(value: object, levels: int) -> bool:
    if not isinstance(value, _CONTAINERS):
        return True
    items = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_shallow(item, levels - 1) for item in items if isinstance(item, _CONTAINERS))


_CONTAINERS = (dict, list, tuple)


class _RareError(Exception):
    """A value that msgspec's encoder writes differently from RFC 8785."""


def _common(value: object, levels: int) -> object:
    """The same value, for msgspec's encoder, which is in C and many times faster than the library.

    Nearly all documents are written by it byte for byte as by RFC 8785. Raises _RareError for the rest, and FormatError
    for more than so many levels.
    """
    kind = type(value)
    if kind is float:
        return _number(value)  # type: ignore[arg-type]
    if value is None or kind is str or kind is bool or (kind is int and -_EXACT < value < _EXACT):  # type: ignore[operator]
        return value
    if kind is not list and kind is not dict and kind is not tuple:
        raise _RareError
    if levels == 0:
        raise _too_deep()
    if kind is dict:
        if not all(type(key) is str and key.isascii() for key in value):  # type: ignore[attr-defined]
            raise _RareError
        return {key: _common(item, levels - 1) for key, item in value.items()}  # type: ignore[attr-defined]
    return [_common(item, levels - 1) for item in value]  # type: ignore[attr-defined]


_EXACT = 1 << 53


def _number(value: float) -> float | int:
    """The number for msgspec's encoder, which, unlike RFC 8785, writes `2.0`, and an exponent from 1e-05 down."""
    if value.is_integer() and abs(value) < _EXACT:
        return int(value)
    if 1e-4 <= abs(value) < _EXACT:
        return value
    raise _RareError


def digest_of(data: bytes) -> str:
    """`sha256:` and 64 hexadecimal digits."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def parse_json(data: bytes | str) -> Any:
    """JSON by RFC 8259 and no more: UTF-8, no NaN, no infinity, no number that overflows, no duplicate key, no
    byte order mark.

    Raises FormatError, whose text never repeats the input.
    """
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        return json.loads(
            text, object_pairs_hook=unique, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_integer
        )
    except UnicodeDecodeError as error:
        raise FormatError("", f"not UTF-8 (byte {error.start})") from error
    except json.JSONDecodeError as error:
        raise FormatError("", f"not JSON: line {error.lineno} column {error.colno}") from error
    except RecursionError as error:
        raise FormatError("", "not JSON: nested too deep") from error
    except FormatError:
        raise
    except ValueError as error:  # an integer of thousands of digits
        raise FormatError("", "not JSON: a number is out of range") from error


def unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """The members of a JSON object, for `json`'s `object_pairs_hook`. Raises FormatError for a duplicate key."""
    result = dict(pairs)
    if len(result) != len(pairs):
        raise FormatError("", "an object has a duplicate key")
    return result


def _integer(text: str) -> int | float:
    """A number past 2^53 is a double: RFC 8785 writes one below 1e21 without an exponent, as if it were an integer."""
    value = int(text)
    return value if abs(value) < _EXACT or abs(value) > sys.float_info.max else float(value)


def _refuse_constant(name: str) -> None:
    raise FormatError("", f"{name} is not a number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise FormatError("", "a number is out of range")
    return value


def json_of(value: msgspec.Struct) -> dict[str, Any]:
    """A document's struct as the JSON object to be written: its `format`, and no optional field that is unset (the
    struct has `omit_defaults`).
    """
    return {**_lists(msgspec.to_builtins(value)), "format": value.format}  # type: ignore[attr-defined]


def _lists(value: Any) -> Any:
    """The same value with lists in place of tuples, so that it equals what is read from JSON."""
    if isinstance(value, dict):
        return {key: _lists(item) for key, item in value.items()}
    return [_lists(item) for item in value] if isinstance(value, list | tuple) else value


def check_format(found: int, formats: Collection[int], path: str = "") -> None:
    """Raises FormatNotSupportedError if `formats` has not the format that was found."""
    if found not in formats:
        raise FormatNotSupportedError(path, f"format {found} is not supported; this release reads {_listed(formats)}")


def check_format_of(body: Any, formats: Collection[int], path: str) -> None:
    """The same for a document that was not converted yet; a `format` that is no format is left to `convert`."""
    found = body.get("format") if isinstance(body, dict) else None
    if isinstance(found, int) and not isinstance(found, bool) and found > 0:
        check_format(found, formats, path)


def _listed(formats: Collection[int]) -> str:
    return " and ".join(str(one) for one in sorted(formats))


def convert(value: Any, target: type[T], path: str) -> T:
    """Converts plain JSON to a type. Raises FormatError with the full path and no value."""
    try:
        return msgspec.convert(value, target)
    except (msgspec.ValidationError, OverflowError) as error:
        problem, _, place = str(error).partition(" - at `$")
        problem = problem.partition(" - at `key` in ")[0]
        if problem.startswith("Invalid enum value"):
            problem = "is not one of the allowed values"
        elif problem.startswith("Object contains unknown field"):
            problem = "has an unknown field"
        where = (path + place.rstrip("`").replace("[...]", "")).lstrip(".")
        raise FormatError(where, problem) from error
