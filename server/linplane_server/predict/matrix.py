"""Rows that came as the bytes of one array: nothing is made of them before they are computed."""

import struct
from collections.abc import Sequence
from typing import overload


class Matrix(Sequence[list[float]]):
    """Rows of `width` numbers, little-endian, row-major and without padding. `code` is that of `struct`, and `raw` has
    whole rows. Unlike other rows they may have NaN and infinities, which are found when a row is computed.
    """

    __slots__ = ("_row", "code", "raw")

    def __init__(self, raw: bytes | bytearray | memoryview, code: str, width: int) -> None:
        """Keeps `raw` without a copy."""
        self.raw = raw
        self.code = code
        self._row = struct.Struct(f"<{width}{code}")

    @property
    def stride(self) -> int:
        """Bytes of a row."""
        return self._row.size

    @property
    def width(self) -> int:
        """Numbers of a row."""
        return self._row.size // struct.calcsize("<" + self.code)

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.raw) // self._row.size

    @overload
    def __getitem__(self, number: int) -> list[float]: ...
    @overload
    def __getitem__(self, number: slice) -> "Matrix": ...
    def __getitem__(self, number: int | slice) -> "list[float] | Matrix":
        """Returns a row, or the rows of a slice without a step."""
        size = self._row.size
        if isinstance(number, slice):
            begin, end, _ = number.indices(len(self))
            return Matrix(memoryview(self.raw)[begin * size : end * size], self.code, self.width)
        if not 0 <= number < len(self):
            raise IndexError(number)
        return list(map(float, self._row.unpack_from(self.raw, number * size)))
