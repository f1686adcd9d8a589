"""Reads the manifests that a command line names: files, and folders of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

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
