"""How a Job hands back what it made: as files, or in a ConfigMap."""

from pathlib import Path
from typing import Protocol

import msgspec

from linplane_api.canonical import canonical_bytes
from linplane_api.names import ERROR_KEY
from linplane_api.routing_folder import write_atomically
from linplane_api.task import Failure


class ResultWriter(Protocol):
    """Exactly one of the two is there afterwards, whole. Both raise OSError where it cannot be written."""

    def succeeded(self, artifact_file: bytes) -> None:
        """Hands back an artifact file. Raises TrainerError where this one cannot be handed back, however often it is
        tried.
        """
        ...

    def failed(self, failure: Failure) -> None:
        """Hands back why there is none."""
        ...


def failure_file(failure: Failure) -> bytes:
    """What stands under `error.json`: equal failures give equal bytes."""
    return canonical_bytes(msgspec.to_builtins(failure))


class FileResult:
    """An artifact file, or `error.json` beside where it would be."""

    def __init__(self, path: Path) -> None:
        """`path` is the artifact's, in a folder that exists and is never made here: where it is gone, it was moved
        away, and an empty one in its place would look like a folder whose files were deleted. One Job has one path.
        """
        self._path, self._error = path, path.with_name(ERROR_KEY)

    def succeeded(self, artifact_file: bytes) -> None:
        """Writes the artifact, then removes an earlier failure."""
        self._clean()
        write_atomically(self._path, artifact_file)
        self._error.unlink(missing_ok=True)

    def failed(self, failure: Failure) -> None:
        """Removes an earlier artifact, then writes the failure."""
        self._clean()
        self._path.unlink(missing_ok=True)
        write_atomically(self._error, failure_file(failure))

    def _clean(self) -> None:
        """Removes what a killed run left half-written, hidden beside the two files."""
        for name in (self._path.name, self._error.name):
            for left in self._path.parent.glob(f".{name}.*"):
                left.unlink(missing_ok=True)
