"""The keys of a Secret: a folder of small files, as a pod mounts it, or a line of a pipe. No value is in a message."""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from linplane_api.display import escaped

from ..errors import TrainingFailed

MAX_BYTES = 1 << 20  # a Secret's


def read_credentials(folder: Path) -> dict[str, str]:
    """The value of each key, without a line end behind it; empty if there is no such Secret. Raises TrainingFailed."""
    try:
        files = [path for path in sorted(folder.iterdir()) if not path.name.startswith("..")]  # of the kubelet
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise TrainingFailed(f"the Secret's keys cannot be read ({type(error).__name__})") from error
    return {path.name: _value(path) for path in files}


def receive_credentials(handle: int) -> dict[str, str]:
    """The value of each key, from a line of JSON that ends what a file descriptor has for now; empty if that was
    closed. Raises msgspec.DecodeError if it is none.
    """
    line = b""
    while not line.endswith(b"\n") and (part := os.read(handle, 1 << 16)):
        line += part
    return msgspec.json.decode(line, type=dict[str, str]) if line.endswith(b"\n") else {}


def _value(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES).decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise TrainingFailed(f"the Secret's key '{escaped(path.name)}' holds no text") from None  # the error has it
    except OSError as error:
        raise TrainingFailed(f"the Secret's keys cannot be read ({type(error).__name__})") from error


def required(credentials: Mapping[str, str], key: str, secret: str) -> str:
    """The value of a key of a Secret. Raises TrainingFailed if there is none: whoever makes it may be about to."""
    if not credentials:
        raise TrainingFailed(f"there is no Secret '{escaped(secret)}', or it is empty")
    if not credentials.get(key):
        raise TrainingFailed(f"Secret '{escaped(secret)}' has no key '{key}'")
    return credentials[key]
