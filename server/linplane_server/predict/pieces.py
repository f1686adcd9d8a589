"""Cuts a large body of JSON into small ones, each with a few of its rows: pure.

A decoder cannot be interrupted, so a body of 1 MiB would keep all others waiting for ten milliseconds.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

PIECE = 1 << 13
"""Bytes of rows in a piece: a quarter of a millisecond of decoding, or two for rows of one digit."""

_BETWEEN_ROWS = re.compile(rb"[\]}][ \t\r\n]*,[ \t\r\n]*(?=[\[{])")
_NEXT_FIELD = re.compile(rb',(?<=[\]} \t\r\n],)[ \t\r\n]*"')


class Form(NamedTuple):
    """A form of body with one array of rows. `opening` matches its beginning, with the bracket of the array; `closing`
    is what a body ends with that has nothing else behind the rows.
    """

    opening: re.Pattern[bytes]
    closing: bytes


def form(opening: str, closing: str) -> Form:
    """Returns a form. In `opening`, a blank is any white space of JSON, and `TEXT` is a text without escapes."""
    blank = opening.replace(" ", r"[ \t\r\n]*").replace("TEXT", r'"[^"\\]*"')
    return Form(re.compile(blank.encode()), closing.encode())


def cut(data: bytes, forms: Sequence[Form]) -> list[bytes]:
    """Returns bodies that have the rows of `data`, in order; one if it is small, or has none of the forms. The last one
    has all that is behind the rows.

    If each of them is valid, so is `data`, with these rows: a piece begins where a row does, so its decoder sees what
    the decoder of the whole would, and a cut within a row or a text leaves a piece that is not JSON, or not CSV.
    Nothing is cut behind the rows: a decoder that ignores a field would not notice a cut in it.
    """
    one, found = next(((one, match) for one in forms if (match := one.opening.match(data))), (None, None))
    if one is None or found is None or len(data) <= 2 * PIECE:
        return [data]
    head, at = found.group(), found.end()
    has_text = data.find(b'"', at) >= 0  # which is found much faster than a field
    field = _NEXT_FIELD.search(data, at) if has_text else None
    last = len(data) if field is None else field.start()
    result = []
    while last - at > 2 * PIECE and (end := _BETWEEN_ROWS.search(data, at + PIECE, last)) is not None:
        result.append(b"%b%b%b" % (head, data[at : end.start() + 1], one.closing))
        at = end.end()
    result.append(head + data[at:])
    return result
