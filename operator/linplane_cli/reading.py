"""Reads what a command line names: manifests, folders of them, and the state of local mode."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .output import fail, say

if TYPE_CHECKING:
    from linplane_api.artifact import ArtifactFile
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


def read_artifact(path: Path) -> "ArtifactFile":
    """The artifact in a file; fails if it is none."""
    from linplane_api.artifact import parse_artifact
    from linplane_api.canonical import FormatError
    from linplane_api.manifests.manifest import ManifestError

    try:
        return parse_artifact(read_text(path))
    except FormatError as error:
        fail(f"{path}: {error}")
    except ManifestError as error:
        fail(f"{path}: {error.message}")


def artifact_of_version(folder: Path, state: Path | None, name: str) -> "ArtifactFile":
    """The artifact of the version NAME of local mode's state, else that of `NAME.json` of the folder, as `linplane
    train` stores it; fails if there is neither.
    """
    from linplane_api.artifact import parse_artifact
    from linplane_api.canonical import FormatError
    from linplane_api.kinds import CONFIG_MAP, LINEAR_MODEL
    from linplane_api.names import ARTIFACT_KEY

    objects = (state or folder / ".linplane") / "objects"
    version = _object(objects / LINEAR_MODEL.plural / f"{name}.json")
    if version is None:
        path = folder / f"{name}.json"
        if not path.is_file():
            fail(f"{folder} has no version {name}, neither in a state nor trained")
        return read_artifact(path)
    stored = str((version.get("status") or {}).get("artifact"))
    kept = _object(objects / CONFIG_MAP.plural / f"{stored}.json") or {}
    try:
        return parse_artifact((kept.get("data") or {})[ARTIFACT_KEY])
    except KeyError:
        fail(f"version {name} has no artifact: see `linplane get version {name}`")
    except FormatError as error:
        fail(f"version {name}: {error}")


def _object(path: Path) -> dict[str, Any] | None:
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return body if isinstance(body, dict) else None


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
