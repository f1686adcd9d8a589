"""A file that pyarrow reads from any place, behind a network: for Parquet."""

import io
import threading
from collections.abc import Callable

PART_BYTES = 4 << 20


class RangedFile(io.RawIOBase):
    """A file object of Python over `fetch(start, length)`, which returns exactly that many bytes or raises. Threads may
    read it one after the other.

    It keeps a file of one part whole, and nothing of others: whoever reads them asks for as much at once as it needs.
    """

    def __init__(self, size: int, fetch: Callable[[int, int], bytes]) -> None:
        """`size` is the file's, in bytes. Nothing is fetched yet."""
        super().__init__()
        self._size, self._fetch, self._position = size, fetch, 0
        self._whole: bytes | None = None
        self._lock = threading.Lock()

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

    def read(self, size: int = -1) -> bytes:
        """The next `size` bytes, fewer only at the end or once it is closed."""
        with self._lock:
            end = self._size if size < 0 else min(self._size, self._position + size)
            found: list[bytes] = []
            while self._position < end and not self.closed:
                found.append(self._part(self._position, min(end, self._position + PART_BYTES)))
                self._position += len(found[-1])
            return b"".join(found)

    def close(self) -> None:
        """Waits for a read of another thread."""
        with self._lock:
            super().close()

    def _part(self, start: int, end: int) -> bytes:
        if self._size > PART_BYTES:
            return self._fetch(start, end - start)
        if self._whole is None:
            self._whole = self._fetch(0, self._size)
        return self._whole[start:end]
