"""A folder of manifests with all around it that local mode has, and clocks that the tests move."""

from datetime import datetime
from pathlib import Path

import yaml

from linplane_api.kinds import CONFIG_MAP, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER
from linplane_operator.compile.objects import Object
from linplane_operator.local.manifests import Manifests
from linplane_operator.local.retained_artifacts import RetainedArtifacts
from linplane_operator.local.state_dir import StateDir
from linplane_operator.local.store import Store
from unit.local.builders import NOW, Changes, Clock, Printed, make_store


class Folder:
    """A folder of manifests with all around it."""

    def __init__(self, root: Path, now: datetime = NOW) -> None:
        """`now` is the time of day, which the tests move."""
        self.path = root / "manifests"
        self.path.mkdir(exist_ok=True)
        self.clock, self.printed, self.changes = Clock(), Printed(), Changes()
        self.store: Store = make_store(root / "state", self.changes)
        self.store.load()
        self.now = now
        self.retained = RetainedArtifacts(StateDir(root / "state"), self.store, lambda: self.now, self.printed)
        self.retained.load()
        self.manifests = Manifests(self.path, self.store, self.retained, self.printed, self.clock)
        self.manifests._files._wall = self.clock  # far from the files' own times: each is whole at once

    def save(self, name: str, *objects: Object) -> None:
        """Saves objects, and looks."""
        (self.path / name).write_text(yaml.safe_dump_all(objects))
        self.look()

    def write(self, name: str, text: str | bytes) -> None:
        """Writes a file as it is given, and looks until what is absent is gone."""
        (self.path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        self.look()
        self.look(10)

    def remove(self, name: str) -> None:
        """Removes a file, and looks."""
        (self.path / name).unlink()
        self.look()

    def look(self, later: float = 0.0) -> None:
        """Looks as the loop does, `later` seconds."""
        self.clock.now += later
        self.manifests.poll()

    @property
    def problems(self) -> list[str]:
        """The problems as text."""
        return [str(problem) for problem in self.manifests.problems]

    @property
    def names(self) -> list[str]:
        """The names of stored objects."""
        kinds = (CONFIG_MAP, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER)
        return [one["metadata"]["name"] for kind in kinds for one in self.store.all(kind)]
