"""The layout of the state folder."""

import errno
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from linplane_api.kinds import Kind

_TEMPORARY = re.compile(r"\..+\.[a-z0-9_]{8}")
"""The temporary files of `write_atomically`, which remain if the process is killed."""


@dataclass(frozen=True)
class StateDir:
    """The state folder of one `linplane local`."""

    root: Path

    @property
    def lock(self) -> Path:
        """The lock of the running process, with its process id; empty after an orderly stop."""
        return self.root / "lock"

    @property
    def owner(self) -> Path:
        """A file with the path of the folder of manifests."""
        return self.root / "folder"

    @property
    def admin(self) -> Path:
        """A file with the URL of the admin port of the process that runs, or ran last."""
        return self.root / "admin"

    @property
    def objects(self) -> Path:
        """One file per object, by plural and name."""
        return self.root / "objects"

    @property
    def damaged(self) -> Path:
        """The folder for files of objects that cannot be read."""
        return self.root / "damaged"

    @property
    def problems(self) -> Path:
        """The problems of the manifests, as a list of {file, line, field, message}."""
        return self.root / "problems.json"

    @property
    def metadata(self) -> Path:
        """One line per trained version."""
        return self.root / "metadata.jsonl"

    @property
    def jobs(self) -> Path:
        """One folder per training."""
        return self.root / "jobs"

    @property
    def retained(self) -> Path:
        """One file per deleted version whose artifact can still be restored."""
        return self.root / "retained"

    def make(self, folder: Path) -> None:
        """Creates a folder and its parents up to the state folder, but never the state folder itself, which may be
        inside a folder of manifests that was moved. Raises OSError.
        """
        if not self.root.is_dir():
            raise FileNotFoundError(errno.ENOENT, "the state folder is gone", str(self.root))
        inner = folder.relative_to(self.root)
        for part in (*reversed(inner.parents[:-1]), inner):
            (self.root / part).mkdir(exist_ok=True)

    def object_file(self, kind: Kind, name: str) -> Path:
        """The file of one object."""
        return self.objects / kind.plural / f"{name}.json"

    def job(self, name: str) -> Path:
        """The folder of one training: its data, its result."""
        return self.jobs / name

    def server(self, name: str) -> Path:
        """The folder of one ModelServer: `config` as its servers watch it, `report-POD.json` as they answer."""
        return self.root / "servers" / name

    def set_aside(self, path: Path) -> Path:
        """Moves a file that cannot be read to `damaged`; returns its new path."""
        self.make(self.damaged)
        place = self.damaged / f"{path.parent.name}-{path.name}"
        number = 1
        while place.exists():
            number += 1
            place = self.damaged / f"{path.parent.name}-{path.stem}-{number}{path.suffix}"
        return path.rename(place)

    def sweep(self) -> None:
        """Removes incomplete files of a killed process. The caller holds the lock."""
        folders = (self.root, self.retained, *self.objects.glob("*"), *(self.root / "servers").glob("*"))
        for path in (path for folder in folders for path in folder.glob(".*")):
            if _TEMPORARY.fullmatch(path.name) and path.is_file():
                path.unlink(missing_ok=True)
        for path in self.root.glob("servers/*/report-*.json"):
            path.unlink(missing_ok=True)

    def drop_jobs(self, kept: set[str]) -> None:
        """Removes the folders of trainings that do not exist any more."""
        for path in self.jobs.glob("*"):
            if path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)
