"""Why a training fails, in one tree. Messages end in a resource's status: none holds a cell, a response or a URI.

They repeat names of columns, by `linplane_api.display`; those of a remote file only once the target was found in it.

TrainerError
├── BadData            trying again gives the same answer
│   ├── MissingFileError   the file that the task names is not there
│   └── RefusedError   the rules for untrusted sources forbid this one
├── TrainingFailed     trying again may help: a connection, a disk, memory
│   └── ResultLostError    what was made, or why nothing was, cannot be handed back
│       └── UnreachableError   for the API server cannot be reached
├── TooLargeError      the artifact has no room where it is to go; trying again gives the same answer
├── VersionExistsError the store has this version already
└── StoreDamagedError  what was read back is not what was written
"""

from linplane_api.display import display_name


class TrainerError(Exception):
    """Anything that the trainer raises on purpose; its text is one line."""


class BadData(TrainerError):  # noqa: N818 (named as the reason in a Failure)
    """The data, or the task, cannot give a model. Names columns and lines.

    `brief` is the message for a status, which has room for 1024 characters; logs and commands have room for the whole.
    """

    def __init__(self, message: str, brief: str = "") -> None:
        super().__init__(message)
        self.brief = brief or message


class MissingFileError(BadData):
    """The file that the task names is not there. `path` is that in the data folder, None for a file named by a URI."""

    def __init__(self, path: str | None = None, folder: str = "") -> None:
        """`folder` is what users call the data folder; without it the message names no file."""
        named = None if path is None or not folder else f"{folder} has no file {display_name(path)}"
        super().__init__(named or "there is no such data file")
        self.path = path


class RefusedError(BadData):
    """A source that training may not read from."""


class TrainingFailed(TrainerError):  # noqa: N818 (named as the reason in a Failure)
    """Something outside of the data went wrong."""


class ResultLostError(TrainingFailed):
    """What was made, or why nothing was, cannot be handed back."""


class UnreachableError(ResultLostError):
    """The API server cannot be reached, so nothing can be handed back."""


class TooLargeError(TrainerError):
    """The artifact has no room where it is to go."""


class VersionExistsError(TrainerError):
    """A version never changes its meaning, so it is not trained over by accident."""


class StoreDamagedError(TrainerError):
    """A stored artifact does not read back as the one that was stored."""
