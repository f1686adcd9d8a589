"""A matrix in binary, decoded as it arrives."""

from collections.abc import Iterator, Sequence

from ...predict.interface import Asked
from ...predict.matrix import Matrix
from ...predict.rows import Row
from .tensors import Datatype

BLOCK_NUMBERS = 1 << 17
"""Numbers in a block, which is computed at once: 1 MiB of FP64, and half a millisecond."""

BLOCK_ROWS = 1 << 15
"""Rows in a block at most, if they are short: a millisecond or two."""


class MatrixStream:
    """The rows of one binary tensor, in blocks. See `Stream`."""

    def __init__(self, asked: Asked, datatype: Datatype, width: int, size: int) -> None:
        """`width` is the number of features, `size` that of all bytes."""
        self.asked = asked
        self._code, self._width = datatype.code, width
        stride = width * datatype.size
        self.held = min(size, max(1, min(BLOCK_ROWS, BLOCK_NUMBERS // width)) * stride)
        self._buffer = memoryview(bytearray(self.held))
        self._filled = 0

    def feed(self, data: bytes) -> Iterator[Sequence[Row]]:
        """Yields a block each time that the buffer is full."""
        left = memoryview(data)
        while left:
            taken = left[: self.held - self._filled]
            left = left[len(taken) :]
            self._buffer[self._filled : self._filled + len(taken)] = taken
            self._filled += len(taken)
            if self._filled == self.held:
                self._filled = 0
                yield Matrix(self._buffer, self._code, self._width)

    def finish(self) -> Iterator[Sequence[Row]]:
        """Yields the last block. It has whole rows, as the length of the body is that of the shape."""
        if self._filled:
            yield Matrix(self._buffer[: self._filled], self._code, self._width)
