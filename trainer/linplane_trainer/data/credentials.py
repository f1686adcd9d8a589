"""The keys of a Secret: a folder of small files, as a pod mounts it, or a line of a pipe. No value is in a message."""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from linplane_api.display import escaped

from ..errors import TrainingFailed

MAX_BYTES = 1 << 20  # a Secret's


def read_credentials(folder: Path) -> dict[str, str]:
    """The value of each key, without a line end behind it, and empty if it is no text; nothing if there is no such
    Secret. Raises TrainingFailed.
    """
    try:
        files = [path for path in sorted(folder.iterdir()) if not path.name.startswith("..")]  # of the kubelet
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise TrainingFailed(f"the Secret's keys cannot be read ({type(error).__name__})") from error
    return {path.name: _without_line_end(_value(path)) for path in files}


def receive_credentials(handle: int) -> dict[str, str]:
    """The value of each key, without a line end behind it, from a line of JSON that ends what a file descriptor has for
    now; empty if that was closed. Raises msgspec.DecodeError if it is none.
    """
    line = b""
    while not line.endswith(b"\n") and (part := os.read(handle, 1 << 16)):
        line += part
    values = msgspec.json.decode(line, type=dict[str, str]) if line.endswith(b"\n") else {}
    return {name: _without_line_end(value) for name, value in values.items()}


def _without_line_end(value: str) -> str:
    """As `echo` writes one, and an editor."""
    return value.removesuffix("\n").removesuffix("\r")


def _value(path: Path) -> str:
    """Empty if it is no text, as a key that is for others may be."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES).decode()
    except UnicodeDecodeError:
        return ""
    except OSError as error:
        raise TrainingFailed(f"the Secret's keys cannot be read ({type(error).__name__})") from error


def required(credentials: Mapping[str, str], key: str, secret: str) -> str:
    """The value of a key of a Secret. Raises TrainingFailed if there is none: whoever makes it may be about to."""
    if not credentials:
        raise TrainingFailed(f"there is no Secret '{escaped(secret)}', or it is empty")
    if key not in credentials:
        raise TrainingFailed(f"Secret '{escaped(secret)}' has no key '{key}'")
    if not credentials[key]:
        raise TrainingFailed(f"key '{key}' of Secret '{escaped(secret)}' holds no text")
    return credentials[key]
