"""Files of this machine or of a mounted volume as sources, one by one or as a folder."""

import errno
import os
import stat
from pathlib import Path
from typing import Any

from linplane_api.display import display_name

from ..errors import BadData, MissingFileError, RefusedError, TrainingFailed
from .source import Folder, Source, is_hidden

NO_SUCH_FILE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})


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

    def random_access(self) -> Any:
        """The file, from its beginning."""
        self.file.seek(0)
        return self.file

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


def folder_at(folder: Path, path: str, within: Path | None) -> Folder:
    """The files of a folder and of those in it. `path` is that in the task; `within`: the folder that no link may lead
    out of, None if they may. Raises BadData, RefusedError for such a link, or TrainingFailed.

    A link to a file stands for the file; one to a folder is an error, since it could lead in circles, and left out its
    rows would be missed by no one.
    """
    found: dict[str, Source] = {}
    for place, folders, files in os.walk(folder, onerror=_cannot_be_listed):
        folders[:] = [name for name in folders if not is_hidden(name)]
        for name in folders:
            if (Path(place) / name).is_symlink():
                shown = display_name((Path(place) / name).relative_to(folder).as_posix())
                raise BadData(
                    f"{shown} is a link to a folder, which is not followed: name that folder, or copy its files"
                )
        for file in (Path(place) / name for name in files if not is_hidden(name)):
            name = file.relative_to(folder).as_posix()
            found[name] = FileSource(_real(file, name, within), path + name)
    return Folder.of(path, found)


def _cannot_be_listed(error: OSError) -> None:
    raise TrainingFailed(f"the data folder cannot be read ({type(error).__name__})") from error


def _real(file: Path, name: str, within: Path | None) -> Path:
    if within is None:
        return file
    try:
        real = file.resolve()
    except (OSError, RuntimeError) as error:  # links in a circle
        raise BadData(f"{display_name(name)}: the link cannot be followed") from error
    if not real.is_relative_to(within):
        raise RefusedError(f"{display_name(name)}: the link leads out of the data folder")
    return real
