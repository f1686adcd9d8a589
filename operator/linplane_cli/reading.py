"""Reads what a command line names: manifests, folders of them, and the state of local mode."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .output import fail, say

if TYPE_CHECKING:
    from linplane_api.manifests.manifest import Document


def expand(paths: tuple[Path, ...]) -> Iterator[Path]:
    """Each file; for a folder the manifests in it, as `linplane local` selects them."""
    from linplane_api.manifests.manifest import SUFFIXES

    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.iterdir() if p.suffix in SUFFIXES and not p.name.startswith("."))
        else:
            yield path


def read_text(path: Path) -> str:
    """The text of a file. Raises ManifestError if it cannot be read."""
    from linplane_api.manifests.manifest import MAX_BYTES, ManifestError

    try:
        if path.stat().st_size > MAX_BYTES:
            raise ManifestError(f"is larger than {MAX_BYTES >> 20} MiB")
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ManifestError(f"not UTF-8 (byte {error.start})") from error
    except OSError as error:
        raise ManifestError(f"cannot be read: {error.strerror}") from error


def is_ours(document: "Document") -> bool:
    """True if the object is of the project's API group."""
    from linplane_api.names import GROUP

    return str(document.body.get("apiVersion")).partition("/")[0] == GROUP


def state_folder(folder: Path, state: Path | None) -> Path:
    """The state folder of `--dir` and `--state`; fails if local mode has never run there."""
    root = state or folder / ".linplane"
    if not (root / "objects").is_dir():
        fail(f"{root} has no state yet: start `linplane local --dir {folder}`")
    return root


def running_admin_url(folder: Path, state: Path | None) -> str:
    """The URL of the admin port of the `linplane local` that runs with `--dir` and `--state`; fails if none does."""
    from linplane_api.locks import is_locked

    root = state_folder(folder, state)
    try:
        url = (root / "admin").read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        url = ""
    if not url or not is_locked(root / "lock"):
        fail(f"linplane local is not running here: start `linplane local --dir {folder}`")
    return url


def warn_if_stopped(root: Path) -> None:
    """Says so if no `linplane local` runs with this state folder."""
    from linplane_api.locks import is_locked

    if not is_locked(root / "lock"):
        say("linplane local is not running here: this is its last state", err=True)
