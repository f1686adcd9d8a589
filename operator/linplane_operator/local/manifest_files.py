"""Polls the manifests of one folder: changed files, their objects, and problems.

A file that cannot be read, or is still being written, keeps its earlier objects and does not affect other files. A
folder that was replaced (a swapped link, an unmounted volume) is trusted once a file in it holds an object.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG

from linplane_api.manifests.manifest import MAX_BYTES, SUFFIXES, Document, ManifestError, read_documents

LISTINGS = 3
"""How often a poll lists the folder at most, if files in it are renamed meanwhile."""

SETTLE_SECONDS = 0.04  # a file that was written this recently may be incomplete

WITHOUT_WORDS = "cannot be read; why is not said of a file with a Secret, since that may repeat a value"

Signature = tuple[int, ...]


@dataclass(frozen=True, order=True)
class Problem:
    """A problem of a manifest; `field` is empty if it concerns the whole file or object."""

    file: str
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        """`route.yaml:12: spec.version: the problem`."""
        return f"{self.file}:{self.line}: {self.field + ': ' if self.field else ''}{self.message}"


@dataclass
class ManifestFile:
    """One manifest as last read. If it has a problem, the documents are the earlier ones."""

    signature: Signature
    documents: list[Document] = field(default_factory=list)
    problem: Problem | None = None
    last_line: str = ""
    """The text after the last line break, empty if the file ends with one."""


class ManifestFiles:
    """Polls one folder, without subfolders. `wall` is the clock of file times, in seconds."""

    def __init__(self, folder: Path, wall: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._wall = wall
        self.read: dict[str, ManifestFile] = {}
        """Every manifest by name, in any order."""
        self.unsettled: set[str] = set()
        """Files that have changed and were not read yet."""
        self.saved_again: set[str] = set()
        """Files that the last poll found saved again with the same objects."""
        self.missing = ""
        """Why the folder itself cannot be read, empty if it can."""
        self.unproven = True
        """The folder is new or was replaced, and no file in it holds an object so far: missing objects do not count as
        deleted.
        """
        self._identity: Signature = ()

    def poll(self) -> bool:
        """Reads changed files; returns True if there was one. Cheap if nothing changed."""
        was_missing, self.missing = self.missing, ""
        try:
            found = self._folder.stat()
            signatures = self._signatures()
        except OSError as error:
            self.missing = error.strerror or type(error).__name__
            self._identity = ()
            return self.missing != was_missing
        changed = was_missing != ""
        if self._identity != (found.st_dev, found.st_ino):
            changed |= self._identity != ()
            self._identity = (found.st_dev, found.st_ino)
            self.unproven = True
            for file in self.read.values():
                file.signature = ()  # of the previous folder: read again
        self.saved_again.clear()
        self.unsettled.clear()
        for gone in self.read.keys() - signatures.keys():
            del self.read[gone]
            changed = True
        for name, (signature, problem) in signatures.items():
            if name in self.read and self.read[name].signature == signature:
                continue
            if not problem and abs(self._wall() - signature[1] / 1e9) < SETTLE_SECONDS:
                self.unsettled.add(name)
                continue
            try:
                self._accept(name, signature, problem)
            except FileNotFoundError:  # renamed or deleted since: the next poll finds it
                self.unsettled.add(name)
                continue
            changed = True
        if self.unproven:
            self.unproven = not any(f.signature and f.documents and not f.problem for f in self.read.values())
        return changed

    def _accept(self, name: str, signature: Signature, problem: str) -> None:
        known = self.read.get(name)
        file = ManifestFile(
            signature, known.documents if known else [], Problem(name, 1, "", problem) if problem else None
        )
        if not problem:
            self._read_into(file, name)
        if known and not file.problem and [d.body for d in known.documents] == [d.body for d in file.documents]:
            self.saved_again.add(name)
        self.read[name] = file

    def _signatures(self) -> dict[str, tuple[Signature, str]]:
        """By file. If one is renamed or deleted meanwhile, all are listed again: its objects would be in two files, or
        in one that is reported as unreadable. Raises OSError if the folder cannot be listed, or not as it is.
        """
        for _ in range(LISTINGS - 1):
            with suppress(FileNotFoundError):
                return self._listed()
        return self._listed()

    def _listed(self) -> dict[str, tuple[Signature, str]]:
        paths = [p for p in self._folder.iterdir() if p.suffix in SUFFIXES and not p.name.startswith(".")]
        return {path.name: self._signature(path.name) for path in paths}

    def _signature(self, name: str) -> tuple[Signature, str]:
        """The signature by which a change is found, and why the file cannot be read, if that is already known. Raises
        FileNotFoundError if there is none.
        """
        path = self._folder / name
        try:
            found = path.stat()
        except OSError as error:
            broken = isinstance(error, FileNotFoundError)
            if broken and not path.is_symlink():
                raise
            return (
                error.errno or 0,
            ), "is a symbolic link to nothing" if broken else f"cannot be read: {error.strerror}"
        signature = (found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_mode, found.st_dev)
        if not S_ISREG(found.st_mode):
            return signature, "is not a regular file"
        return signature, f"is larger than {MAX_BYTES >> 20} MiB" if found.st_size > MAX_BYTES else ""

    def _read_into(self, file: ManifestFile, name: str) -> None:
        try:
            text = (self._folder / name).read_bytes().decode("utf-8")
            file.documents = read_documents(text)
            file.last_line = text[text.rfind("\n") + 1 :]
        except ManifestError as error:
            message = WITHOUT_WORDS if "Secret" in text else error.message
            file.problem = Problem(name, error.line, error.field, message)
        except UnicodeDecodeError as error:
            file.problem = Problem(name, 1, "", f"not UTF-8 (byte {error.start})")
        except FileNotFoundError:
            raise
        except OSError as error:
            file.problem = Problem(name, 1, "", f"cannot be read: {error.strerror}")
