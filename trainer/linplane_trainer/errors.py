"""The errors of a training, in one tree. Messages reach a resource's status: none holds a cell, a response or a URI.

They repeat names of columns, by `linplane_api.display`; those of a remote file only once the target was found in it.

TrainerError
├── BadData                    permanent: a retry gives the same error
│   ├── BadRowError            at a place in the file that is named
│   ├── OtherColumnsError      files of one folder have different columns
│   ├── MissingFileError       the file that the task names does not exist
│   └── RefusedError           the rules for untrusted sources forbid this one
├── TrainingFailed             transient: a connection, a disk, memory
│   └── ResultLostError        neither result nor failure can be written
│       └── UnreachableError   because the API server cannot be reached
├── TooLargeError              permanent: the artifact is too large for its destination
├── VersionExistsError         the store has this version already
└── StoreDamagedError          a stored artifact differs from the one that was written
"""

from linplane_api.display import display_name


class TrainerError(Exception):
    """The base of the trainer's own errors; the text is one line."""

    joint = ": "

    def name_file(self, name: str) -> None:
        """Puts the name of the file in front that it is about, one of several."""
        self.args = (f"{display_name(name)}{self.joint}{self}",)


class BadData(TrainerError):  # noqa: N818 (named as the reason in a Failure)
    """The data, or the task, cannot give a model. The message names columns and lines.

    `brief` is the message for a status, which has room for 1024 characters; logs and commands have room for the whole.
    """

    def __init__(self, message: str, brief: str = "") -> None:
        super().__init__(message)
        self.brief = brief or message

    def name_file(self, name: str) -> None:
        """The brief message gets it too."""
        self.brief = f"{display_name(name)}{self.joint}{self.brief}"
        super().name_file(name)


class BadRowError(BadData):
    """The message begins with a place in a file, such as a line."""

    joint = ", "


class OtherColumnsError(BadData):
    """A file of a folder has other columns than the first one. The message begins with a verb."""

    joint = " "


class MissingFileError(BadData):
    """The file that the task names does not exist. `path` is that in the data folder, None for a file URI."""

    def __init__(self, path: str | None = None, folder: str = "") -> None:
        """`folder` is what users call the data folder; without it the message names no file."""
        kind = "folder" if path and path.endswith("/") else "file"
        named = None if path is None or not folder else f"{folder} has no {kind} {display_name(path)}"
        super().__init__(named or f"there is no such data {kind}")
        self.path = path


class RefusedError(BadData):
    """A source that training may not read from."""


class TrainingFailed(TrainerError):  # noqa: N818 (named as the reason in a Failure)
    """Something outside of the data went wrong."""


class ResultLostError(TrainingFailed):
    """Neither the result nor the failure can be written."""


class UnreachableError(ResultLostError):
    """The API server cannot be reached, so nothing can be written."""


class TooLargeError(TrainerError):
    """The artifact is too large for its destination."""


class VersionExistsError(TrainerError):
    """The version exists: it is not replaced by accident, since a version never changes its meaning."""


class StoreDamagedError(TrainerError):
    """A stored artifact does not read back as the one that was stored."""
