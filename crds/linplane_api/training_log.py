"""`metadata.jsonl`: one line for every version that was trained, oldest first, only ever appended to."""

import json
import os
from pathlib import Path
from typing import BinaryIO

from .artifact import ArtifactFile
from .canonical import canonical_bytes
from .locks import lock

TAIL_BYTES = 1 << 16


def metadata_line(artifact_file: ArtifactFile, model: str, version: str) -> bytes:
    """One canonical JSON object and a newline. Figures of the training are null for weights written by hand."""
    artifact = artifact_file.artifact
    training = artifact.training
    line = {
        "version": version,
        "model": model,
        "date": artifact_file.trained_at,
        "coefficients": dict(zip(artifact.features, artifact.coefficients, strict=True)),
        "intercept": artifact.intercept,
        "mse": training.evaluation.mse if training else None,
        "r2": artifact_file.r2,
        "noise": training.noise if training else None,
        "samples": training.samples if training else None,
        "digest": artifact_file.digest,
    }
    return canonical_bytes(line) + b"\n"


def append_metadata(path: Path, artifact_file: ArtifactFile, model: str, version: str) -> None:
    """Appends a version's line and syncs it to disk. Raises OSError.

    Writers wait for each other. A crash can truncate only the last line, and the next append removes that.
    """
    line = metadata_line(artifact_file, model, version)
    with lock(path) as file:
        _repair(file)
        file.seek(0, os.SEEK_END)
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def has_line(path: Path, model: str, version: str, digest: str) -> bool:
    """True if the log has the line of that artifact of the version. Raises OSError."""
    if not path.exists():
        return False
    with path.open("rb") as file:
        return any(_is_line_of(line, model, version, digest) for line in file)


def _is_line_of(line: bytes, model: str, version: str, digest: str) -> bool:
    try:
        body = json.loads(line)
    except ValueError:
        return False
    return isinstance(body, dict) and [body.get(key) for key in ("model", "version", "digest")] == [
        model,
        version,
        digest,
    ]


def _repair(file: BinaryIO) -> None:
    """Removes an incomplete last line; one that lacks only its newline gets it."""
    end = file.seek(0, os.SEEK_END)
    start, tail = end, b""
    while start > 0 and b"\n" not in tail:
        step = min(TAIL_BYTES, start)
        start -= step
        file.seek(start)
        tail = file.read(step) + tail
    partial = tail[tail.rfind(b"\n") + 1 :]
    if not partial:
        return
    try:
        json.loads(partial)
    except ValueError:
        file.truncate(end - len(partial))
    else:
        file.seek(0, os.SEEK_END)
        file.write(b"\n")
