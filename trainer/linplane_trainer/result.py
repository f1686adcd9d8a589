"""Writers of a Job's result. This one writes files; see `configmap_result` for a ConfigMap."""

import logging
from pathlib import Path
from typing import Protocol

import msgspec

from linplane_api.canonical import canonical_bytes
from linplane_api.files import write_atomically
from linplane_api.names import ERROR_KEY
from linplane_api.task import Failure

log = logging.getLogger(__name__)


class ResultWriter(Protocol):
    """Afterwards there is exactly one of artifact and failure, complete. Both methods raise OSError."""

    def write_artifact(self, artifact_file: bytes) -> None:
        """Writes an artifact file. Raises TrainerError if this one can never be written."""
        ...

    def write_failure(self, failure: Failure) -> None:
        """Writes why there is no artifact."""
        ...


def failure_file(failure: Failure) -> bytes:
    """The content of `error.json`: equal failures give equal bytes."""
    return canonical_bytes(msgspec.to_builtins(failure))


class FileResult:
    """Writes an artifact file, or `error.json` in the same folder."""

    def __init__(self, path: Path) -> None:
        """`path` is the artifact's. Its folder must exist: if it is missing, it was moved away, and an empty new one
        would look like a folder whose files were deleted. One Job has one path.
        """
        self._path, self._error = path, path.with_name(ERROR_KEY)

    def write_artifact(self, artifact_file: bytes) -> None:
        """Writes the artifact, then removes an earlier failure."""
        self._remove_temporary()
        write_atomically(self._path, artifact_file)
        self._error.unlink(missing_ok=True)
        log.debug("wrote file", extra={"file": self._path.name})

    def write_failure(self, failure: Failure) -> None:
        """Removes an earlier artifact, then writes the failure."""
        self._remove_temporary()
        self._path.unlink(missing_ok=True)
        write_atomically(self._error, failure_file(failure))
        log.debug("wrote file", extra={"file": self._error.name})

    def _remove_temporary(self) -> None:
        """Removes the temporary files that a killed run left in the folder."""
        for name in (self._path.name, self._error.name):
            for left in self._path.parent.glob(f".{name}.*"):
                left.unlink(missing_ok=True)
