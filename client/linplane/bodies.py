"""Encodes rows, and joins them to bodies within a limit: pure."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from .rows import Plain


def _number(value: Any) -> Any:
    """Converts what is no number of Python's own, such as a scalar of numpy. Raises TypeError or ValueError."""
    return value.item() if hasattr(value, "item") else float(value)


_encode = msgspec.json.Encoder(enc_hook=_number, decimal_format="number").encode


def encode_rows(rows: Iterable[Plain]) -> Iterator[bytes]:
    """Encodes each row as JSON; NaN and infinities, which JSON does not have, become null. Raises TypeError or
    ValueError, with the number of the row.
    """
    for number, row in enumerate(rows):
        try:
            yield _encode(row)
        except (TypeError, ValueError) as error:
            raise type(error)(f"row {number}: {error}") from error


def join(parts: Sequence[bytes], key: str | None) -> bytes:
    """Returns the body for encoded rows and the key of their user."""
    return b'{"rows":[%b]%b}' % (b",".join(parts), b"" if key is None else b',"key":' + _encode(key))


class Parts:
    """The encoded rows that are still to be sent."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        """Reads `parts` as far as needed only."""
        self._parts = parts
        self._next: deque[bytes] = deque()

    def take(self, limit: int) -> list[bytes]:
        """Takes as many rows as have at most `limit` bytes of JSON, commas included; at least one, if any is left."""
        taken: list[bytes] = []
        size = 0
        while self._fill():
            size += len(self._next[0]) + bool(taken)
            if taken and size > limit:
                break
            taken.append(self._next.popleft())
        return taken

    @property
    def has_more(self) -> bool:
        """Whether the last take left a row that did not fit."""
        return bool(self._next)

    def put_back(self, parts: Sequence[bytes]) -> None:
        """Makes rows that were taken the next ones again."""
        self._next.extendleft(reversed(parts))

    def _fill(self) -> bool:
        if not self._next:
            self._next.extend(next(([part] for part in self._parts), []))
        return bool(self._next)
