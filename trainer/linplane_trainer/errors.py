"""Why a training fails, in one tree. No message holds a cell, a response or a URI: they end in a resource's status.

TrainerError
├── BadData            trying again gives the same answer
│   └── RefusedError   the rules for untrusted sources forbid this one
├── TrainingFailed     trying again may help: a connection, a disk, memory
│   └── ResultLostError    what was made, or why nothing was, cannot be handed back
├── TooLargeError      the artifact has no room where it is to go; trying again gives the same answer
├── VersionExistsError the store has this version already
└── StoreDamagedError  what was read back is not what was written
"""

MAX_SHOWN = 60
MAX_LISTED = 12


class TrainerError(Exception):
    """Anything that the trainer raises on purpose; its text is one line."""


class BadData(TrainerError):  # noqa: N818 (named as the reason in a Failure)
    """The data, or the task, cannot give a model. Names columns and lines."""


class RefusedError(BadData):
    """A source that training may not read from."""


class TrainingFailed(TrainerError):  # noqa: N818 (named as the reason in a Failure)
    """Something outside of the data went wrong."""


class ResultLostError(TrainingFailed):
    """What was made, or why nothing was, cannot be handed back."""


class TooLargeError(TrainerError):
    """The artifact has no room where it is to go."""


class VersionExistsError(TrainerError):
    """A version never changes its meaning, so it is not trained over by accident."""


class StoreDamagedError(TrainerError):
    """A stored artifact does not read back as the one that was stored."""


def shown(name: str) -> str:
    """A column's name as messages show it: printable, in quotes, at most 60 characters."""
    clean = "".join(letter if letter.isprintable() else "?" for letter in name)
    return f"'{clean if len(clean) <= MAX_SHOWN else clean[: MAX_SHOWN - 3] + '...'}'"


def listed(names: list[str]) -> str:
    """At most twelve names, and how many more there are."""
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return ", ".join(map(shown, names[:MAX_LISTED])) + more
