"""What a source of rows is: bytes in order, opened once or again, and perhaps read from any place; and what a folder of
them is.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from linplane_api.facts import DataHash
from linplane_api.names import MAX_CONFIGMAP_BYTES

from ..errors import BadData

MADE_BY_FILE_SYSTEMS = "lost+found"


class Bytes(Protocol):
    """Bytes in order. `size` is their number, None if unknown."""

    size: int | None

    def read(self, size: int) -> bytes:
        """At most `size` bytes, b"" only at the end. Raises TrainerError."""
        ...

    def random_access(self) -> Any:
        """All of the bytes as a file that pyarrow can read from any place: a file object of Python, or a NativeFile.
        Nothing is read in order afterwards, and `close` closes it. Raises TrainerError.
        """
        ...

    def close(self) -> None:
        """Releases the file or the connection."""
        ...


class Source(Protocol):
    """`remote`: it can be opened once, and messages repeat nothing of it before it is known to be the user's data."""

    remote: bool

    def open(self) -> Bytes:
        """The bytes from the beginning. Raises TrainerError."""
        ...


@dataclass(frozen=True)
class Folder:
    """The files of a folder, with their paths within it, in the order of these: the same for a disk and a bucket.
    `path` is the folder's own in messages: empty, or with a `/` at its end.
    """

    path: str
    files: tuple[tuple[str, Source], ...]

    @classmethod
    def of(cls, path: str, files: Mapping[str, Source]) -> "Folder":
        """From files by their paths, without hidden ones. Raises BadData if there is none."""
        found = tuple((name, files[name]) for name in sorted(files) if not any(map(is_hidden, name.split("/"))))
        if not found:
            raise BadData("the folder holds no file")
        return cls(path, found)


def is_hidden(name: str) -> bool:
    """Whether a file or a folder of that name is left out, with all in it: as Hive and Spark leave out `_SUCCESS` and
    `.part.crc` (`HadoopFSUtils.shouldFilterOutPathName`), and the folder that a new ext4 volume has.
    """
    return name.startswith((".", "_")) or name == MADE_BY_FILE_SYSTEMS


class Peeked:
    """Bytes of which the first were read ahead: `beginning`, shorter than asked for only if there are no more."""

    def __init__(self, data: Bytes, size: int) -> None:
        """Owns the bytes, unless this raises. Raises TrainerError."""
        self._data, self.size = data, data.size
        self.beginning = b""
        while len(self.beginning) < size and (more := data.read(size - len(self.beginning))):
            self.beginning += more
        self._ahead = self.beginning

    def read(self, size: int) -> bytes:
        """At most `size` bytes, from the first one on."""
        if not self._ahead:
            return self._data.read(size)
        part, self._ahead = self._ahead[:size], self._ahead[size:]
        return part

    def random_access(self) -> Any:
        """As that of the bytes, which may know their number from then on."""
        file = self._data.random_access()
        self.size = self._data.size
        return file

    def close(self) -> None:
        """Closes them."""
        self._data.close()


class Readable(io.RawIOBase):
    """Bytes as a file object of Python; `done` is how many were read. Wrap it in a BufferedReader: that gives no
    short reads.
    """

    def __init__(self, data: Bytes) -> None:
        """Does not own the bytes."""
        super().__init__()
        self._data = data
        self._hash = DataHash()
        self.done = 0

    @property
    def hash(self) -> str | None:
        """The hash of all bytes read so far, None if these are too many for a ConfigMap."""
        return self._hash.result() if self.done <= MAX_CONFIGMAP_BYTES else None

    @property
    def sha256(self) -> str:
        """That of all bytes read so far."""
        return self._hash.sha256()

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fills a part of the buffer."""
        data = self._data.read(len(buffer))
        buffer[: len(data)] = data
        self.done += len(data)
        self._hash.add(data)
        return len(data)
