"""The sources of a task's data: a file, which can be opened again, or a URI, which cannot."""

import errno
import io
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from linplane_api.facts import DataHash
from linplane_api.names import MAX_CONFIGMAP_BYTES
from linplane_api.task import FileData, S3Data, UriData

from ..errors import BadData, MissingFileError, RefusedError, TrainingFailed
from .credentials import required
from .download import Network, download
from .uri_rules import Rules, file_path, rules_for

NO_SUCH_FILE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})


class Bytes(Protocol):
    """Bytes in order. `size` is their number, None if unknown."""

    size: int | None

    def read(self, size: int) -> bytes:
        """At most `size` bytes, b"" only at the end. Raises TrainerError."""
        ...

    def close(self) -> None:
        """Releases the file or the connection."""
        ...


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

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fills a part of the buffer."""
        data = self._data.read(len(buffer))
        buffer[: len(data)] = data
        self.done += len(data)
        if self.done <= MAX_CONFIGMAP_BYTES:
            self._hash.add(data)
        return len(data)


class Source(Protocol):
    """`remote`: it can be opened once, and messages repeat nothing of it before it is known to be the user's data."""

    remote: bool

    def open(self) -> Bytes:
        """The bytes from the beginning. Raises TrainerError."""
        ...


class FileBytes:
    """A regular file's bytes."""

    def __init__(self, path: Path, name: str | None) -> None:
        """`name` is the path in the task, for MissingFileError. Raises that, or TrainingFailed if the file cannot be
        opened.
        """
        try:  # a pipe without a writer must not block for ever
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (OSError, ValueError) as error:
            if isinstance(error, ValueError) or error.errno in NO_SUCH_FILE:
                raise MissingFileError(name) from error
            raise TrainingFailed(f"the data file cannot be opened ({type(error).__name__})") from error
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode):
            os.close(handle)
            raise BadData("the data is not a regular file")
        self.file = os.fdopen(handle, "rb", buffering=0)
        self.size: int | None = state.st_size

    def read(self, size: int) -> bytes:
        """At most `size` bytes."""
        try:
            return self.file.read(size) or b""
        except OSError as error:
            raise TrainingFailed(f"the data file cannot be read ({type(error).__name__})") from error

    def close(self) -> None:
        """Closes the file."""
        self.file.close()


class FileSource:
    """A file of the data folder, or one named by its absolute path."""

    remote = False

    def __init__(self, path: Path, name: str | None = None) -> None:
        """`name` is the path in the task, if it is one in the data folder. Nothing is opened yet."""
        self._path, self._name = path, name

    def open(self) -> FileBytes:
        """Opens the file."""
        return FileBytes(self._path, self._name)


class UriSource:
    """A URI; the rules are checked at every step."""

    remote = True

    def __init__(self, data: UriData, network: Network) -> None:
        """Nothing is fetched yet."""
        self._data, self._network = data, network

    def open(self) -> Bytes:
        """Sends the request and opens the response's body."""
        return download(self._data.uri, _rules(self._data), self._network)


def source_for(
    data: FileData | UriData | S3Data, folder: Path, network: Network, credentials: Mapping[str, str] | None = None
) -> Source:
    """Raises RefusedError for a path or a URI that may not be read. `credentials`: the keys of the data's Secret."""
    if isinstance(data, S3Data):
        if data.secret is not None:
            required(credentials or {}, "accessKeyId", data.secret)
        raise BadData("this trainer does not read s3")
    if isinstance(data, FileData):
        return FileSource(_inside(folder, data.path), data.path)
    path = file_path(data.uri, _rules(data))
    return FileSource(Path(path)) if path is not None else UriSource(data, network)


def _rules(data: UriData) -> Rules:
    return rules_for(data.allowed_hosts, data.denied_addresses, data.allow_file)


def _inside(folder: Path, path: str) -> Path:
    """An absolute path is used as is. A relative one must stay inside the folder, also once its links are followed."""
    if not path or "\0" in path:
        raise BadData("the data file's path is empty or malformed")
    if Path(path).is_absolute():
        return Path(path)
    try:
        real, base = (folder / path).resolve(), folder.resolve()
    except (OSError, RuntimeError) as error:  # links in a circle
        raise BadData("the data file's path cannot be followed") from error
    if not real.is_relative_to(base):
        raise RefusedError("the data file's path leads out of the data folder")
    return real
