"""Parses JSON with numbers out of range, NaN and infinities, in slices of work: pure.

It takes many times as long as a typed decode, and is for what that refuses: the value shows the place of the error. A
body of 1 MiB takes up to a second, between whose parts others have their turn, so the outer levels are read here, and
the standard library parses runs of small values in them.
"""

import json
import re
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

from linplane_api.canonical import MAX_DEPTH, FormatError, unique

from ..errors import Malformed
from ..predict.interface import Slices

WINDOW = 1 << 13
"""Characters that are parsed at once, and about as many before it yields."""

STEP = 32
"""What a value that is read by itself counts for, in characters of a run: it takes as long."""

_scan = json.JSONDecoder(object_pairs_hook=unique, parse_int=float).scan_once  # type: ignore[attr-defined]
_after_blank = re.compile(r"[ \t\n\r]*+").match
_LEAF = r'[\[{](?:[^\[\]{}"]++|"[^"\\]*+")*+[\]}]'
_ELEMENT = rf'[ \t\n\r]*+(?:[^\[\]{{}}",]++|{_LEAF}|"[^"\\]*+")[ \t\n\r]*+'
_leaf = re.compile(_LEAF).match
_run = re.compile(rf"{_ELEMENT}(?:,{_ELEMENT})*(?=[,\]])").match
"""Elements of an array with at most one more level, as far as that can be seen without parsing them."""


def parse_leniently(data: bytes) -> Slices[Any]:
    """Returns the value; all its numbers are floats. Raises Malformed for all else that is not JSON, but not for a lone
    surrogate, and for objects and arrays in more than MAX_DEPTH levels.
    """
    try:
        return (yield from _Parser(data.decode("utf-8")).document())
    except UnicodeDecodeError as error:
        raise Malformed(f"not UTF-8 (byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise Malformed(f"not JSON (line {error.lineno}, column {error.colno})") from None
    except FormatError as error:
        raise Malformed(error.problem) from None


Found = tuple[Any, int]
"""A value, and the place behind it."""


class _Parser:
    """A place is that of a character; `level` is the number of containers around a value. Raises JSONDecodeError as the
    standard library does, FormatError for a duplicate key, and Malformed.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._spent = 0  # since it yielded last, in characters of a run

    def document(self) -> Slices[Any]:
        value, at = yield from self._value(self._next(0), 0)
        at = self._next(at)
        if at < len(self._text):
            raise self._error(at)
        return value

    def _next(self, at: int) -> int:
        """Returns the place of the next character that is not blank."""
        return _after_blank(self._text, at).end()  # type: ignore[union-attr]

    def _error(self, at: int) -> json.JSONDecodeError:
        return json.JSONDecodeError("", self._text, at)

    def _value(self, at: int, level: int) -> Slices[Found]:
        text = self._text
        opening = text[at : at + 1]
        if opening not in {"[", "{"}:
            return self._parsed(at)
        if level == MAX_DEPTH:
            raise Malformed("not JSON: nested too deep")
        if _leaf(text, at, at + WINDOW):
            return self._parsed(at)
        self._spent += STEP
        return (yield from (self._array if opening == "[" else self._object)(self._next(at + 1), level + 1))

    def _parsed(self, at: int) -> Found:
        try:
            found: Found = _scan(self._text, at)
        except StopIteration as stop:  # no value
            raise self._error(stop.value) from None
        return found

    def _array(self, at: int, level: int) -> Slices[Found]:
        text, values = self._text, list[Any]()
        if text[at : at + 1] == "]":
            return values, at + 1
        wrong = 0  # the end of a run that is not valid, which its elements will show
        while True:
            begin = at
            run = _run(text, at, at + WINDOW) if at >= wrong and level < MAX_DEPTH else None
            some = None if run is None else _elements(run.group())
            if run is None or some is None:
                wrong = wrong if run is None else run.end()
                value, at = yield from self._value(at, level)
                values.append(value)
                at = self._next(at)
            else:
                values += some
                at = run.end()
            if text[at : at + 1] == "]":
                return values, at + 1
            at = self._behind_comma(at)
            if self._is_slice(at - begin):
                yield

    def _object(self, at: int, level: int) -> Slices[Found]:
        text, pairs = self._text, list[tuple[str, Any]]()
        if text[at : at + 1] == "}":
            return unique(pairs), at + 1
        while True:
            begin = at
            if text[at : at + 1] != '"':
                raise self._error(at)
            name, at = scanstring(text, at + 1, True)
            at = self._next(at)
            if text[at : at + 1] != ":":
                raise self._error(at)
            value, at = yield from self._value(self._next(at + 1), level)
            pairs.append((name, value))
            at = self._next(at)
            if text[at : at + 1] == "}":
                return unique(pairs), at + 1
            at = self._behind_comma(at)
            if self._is_slice(at - begin):
                yield

    def _behind_comma(self, at: int) -> int:
        if self._text[at : at + 1] != ",":
            raise self._error(at)
        return self._next(at + 1)

    def _is_slice(self, count: int) -> bool:
        self._spent += count + STEP
        if self._spent < WINDOW:
            return False
        self._spent = 0
        return True


def _elements(run: str) -> list[Any] | None:
    """Returns the values of a run; None if there is an error in it."""
    try:
        values, end = _scan(f"[{run}]", 0)
    except (StopIteration, json.JSONDecodeError, FormatError):
        return None
    return values if end == len(run) + 2 else None
