"""A file that is read from any place, in blocks that are fetched as they are needed: for Parquet behind a network.

Parquet is read in pages of all columns by turns, which are far apart: so the blocks used last are kept, up to 64 MiB.
"""

import io
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

BLOCK_BYTES = 1 << 20
KEPT_BLOCKS = 64


class RangedFile(io.RawIOBase):
    """A file object of Python over `fetch(start, length)`, which returns exactly that many bytes or raises."""

    def __init__(self, size: int, fetch: Callable[[int, int], bytes]) -> None:
        """`size` is the file's, in bytes. Nothing is fetched yet."""
        super().__init__()
        self._size, self._fetch, self._position = size, fetch, 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """The position of the next byte to be read."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves to a position, and returns it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fills the whole buffer, unless the file ends."""
        filled, length = 0, max(0, min(len(buffer), self._size - self._position))
        while filled < length:
            number, start = divmod(self._position, BLOCK_BYTES)
            part = memoryview(self._block(number))[start : start + length - filled]
            buffer[filled : filled + len(part)] = part
            filled += len(part)
            self._position += len(part)
        return filled

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            start = number * BLOCK_BYTES
            self._blocks[number] = self._fetch(start, min(BLOCK_BYTES, self._size - start))
            if len(self._blocks) > KEPT_BLOCKS:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(number)
        return self._blocks[number]
