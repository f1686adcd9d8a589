"""The files of one folder, looked at again and again: which of them changed, what objects they hold, what is wrong.

A file that cannot be read, or is not whole yet, disturbs no other, and keeps what it held before. A folder that was
replaced (a link that was swapped, a volume that was unmounted) is believed once a file in it holds an object.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG

from linplane_api.manifests.manifest import MAX_BYTES, SUFFIXES, Document, ManifestError, read_documents

SETTLE_SECONDS = 0.04  # a file that was written this recently may not be whole yet

Signature = tuple[int, ...]


@dataclass(frozen=True, order=True)
class Problem:
    """What is wrong in a manifest. `field` is empty where it is the whole file or object."""

    file: str
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        """`route.yaml:12: spec.version: what is wrong`."""
        return f"{self.file}:{self.line}: {self.field + ': ' if self.field else ''}{self.message}"


@dataclass
class ManifestFile:
    """One manifest as it was read last. With a problem, the documents are those from before it."""

    signature: Signature
    documents: list[Document] = field(default_factory=list)
    problem: Problem | None = None
    last_line: str = ""
    """The text after the last line break, empty if the file ends with one."""


class ManifestFiles:
    """Watches one folder (not those below it). `wall` is the clock that files are stamped by, in seconds."""

    def __init__(self, folder: Path, wall: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._wall = wall
        self.read: dict[str, ManifestFile] = {}
        """Every manifest by name, in no order."""
        self.unsettled: set[str] = set()
        """Those that are there and were not read yet as they are now."""
        self.saved_again: set[str] = set()
        """Those that the last look found saved anew with the same objects in it."""
        self.missing = ""
        """Why the folder itself cannot be read, empty where it can."""
        self.unproven = True
        """The folder is new, or another one than before, and no file in it holds an object so far: what it lacks is
        no deletion.
        """
        self._identity: Signature = ()

    def look(self) -> bool:
        """Takes up what changed, and says whether anything did. Cheap where nothing changed."""
        was_missing, self.missing = self.missing, ""
        try:
            found = self._folder.stat()
            names = [p.name for p in self._folder.iterdir() if p.suffix in SUFFIXES and not p.name.startswith(".")]
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
                file.signature = ()  # of the folder before: to be read again
        self.saved_again.clear()
        self.unsettled.clear()
        for gone in self.read.keys() - set(names):
            del self.read[gone]
            changed = True
        for name in names:
            signature, problem = self._signature(name)
            if name in self.read and self.read[name].signature == signature:
                continue
            if not problem and abs(self._wall() - signature[1] / 1e9) < SETTLE_SECONDS:
                self.unsettled.add(name)
                continue
            self._take_up(name, signature, problem)
            changed = True
        if self.unproven:
            self.unproven = not any(f.signature and f.documents and not f.problem for f in self.read.values())
        return changed

    def _take_up(self, name: str, signature: Signature, problem: str) -> None:
        known = self.read.get(name)
        file = ManifestFile(
            signature, known.documents if known else [], Problem(name, 1, "", problem) if problem else None
        )
        if not problem:
            self._read_into(file, name)
        if known and not file.problem and [d.body for d in known.documents] == [d.body for d in file.documents]:
            self.saved_again.add(name)
        self.read[name] = file

    def _signature(self, name: str) -> tuple[Signature, str]:
        """What tells two states of a file apart, and why it cannot be read, if that is known already."""
        path = self._folder / name
        try:
            found = path.stat()
        except OSError as error:
            broken = isinstance(error, FileNotFoundError)  # a file that is gone just now is gone at the next look
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
            file.problem = Problem(name, error.line, error.field, error.message)
        except UnicodeDecodeError as error:
            file.problem = Problem(name, 1, "", f"not UTF-8 (byte {error.start})")
        except OSError as error:
            file.problem = Problem(name, 1, "", f"cannot be read: {error.strerror}")
