"""Where things are in the state folder."""

from dataclasses import dataclass
from pathlib import Path

from linplane_api.kinds import Kind


@dataclass(frozen=True)
class Layout:
    """The state folder of one loop."""

    root: Path

    @property
    def lock(self) -> Path:
        """Held by the one loop that runs; its text is that loop's process id."""
        return self.root / "lock"

    @property
    def objects(self) -> Path:
        """One file an object, by plural and name."""
        return self.root / "objects"

    @property
    def problems(self) -> Path:
        """What is wrong with the manifests, as a list of {file, line, field, message}."""
        return self.root / "problems.json"

    @property
    def metadata(self) -> Path:
        """One line for each version that was trained."""
        return self.root / "metadata.jsonl"

    def object_file(self, kind: Kind, name: str) -> Path:
        """The file of one object."""
        return self.objects / kind.plural / f"{name}.json"

    def job(self, name: str) -> Path:
        """The folder of one training: its data, its result."""
        return self.root / "jobs" / name

    def server(self, name: str) -> Path:
        """The folder of one ModelServer: `config` as its servers watch it, `report-POD.json` as they answer."""
        return self.root / "servers" / name
