"""A store, manifests and jobs of local mode in a temporary folder, with clocks that stand still."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from linplane_api.kinds import CONFIG_MAP, LINEAR_MODEL, MODEL_ROUTE, Kind
from linplane_operator.compile.objects import Object
from linplane_operator.local.console_events import Line
from linplane_operator.local.state_dir import StateDir
from linplane_operator.local.store import Store
from linplane_operator.observe.cache import ObjectCache

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Clock:
    """A clock that tests move."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Printed:
    """Remembers lines."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def __call__(self, line: Line) -> None:
        self.lines.append(line)

    def words(self, *words: str) -> list[str]:
        """The texts under these words, or all lines."""
        return [
            line.text if words else f"{line.word} {line.text}" for line in self.lines if not words or line.word in words
        ]


class Changes(list[tuple[str, str, str]]):
    """Remembers changes of objects as kind, name and what."""

    def __call__(self, kind: Kind, before: Object | None, after: Object | None) -> None:
        what = "deleted" if after is None else "changed" if before else "created"
        self.append((kind.kind, (after or before or {})["metadata"]["name"], what))


def make_store(root: Path, changes: Changes | None = None) -> Store:
    """A store as a loop has it, loaded or not."""
    root.mkdir(exist_ok=True)
    return Store(StateDir(root), ObjectCache(), lambda: NOW, changes if changes is not None else Changes())


def body(kind: Kind, name: str, **parts: Any) -> Object:
    """An object with no more than it needs."""
    metadata = {"name": name, **parts.pop("metadata", {})}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **parts}


def model(name: str = "rent-v1", **spec: Any) -> Object:
    """A LinearModel with made-up data."""
    name_parts = name.rpartition("-")
    training = {"data": {"synthetic": {"samples": 9}}}
    return body(
        LINEAR_MODEL, name, spec={"model": name_parts[0], "version": name_parts[2], "training": training, **spec}
    )


def route(name: str = "rent", version: str = "v1", **spec: Any) -> Object:
    """A ModelRoute of the model of its own name."""
    return body(MODEL_ROUTE, name, spec={"model": name, "version": version, **spec})


def config_map(name: str = "rows", **parts: Any) -> Object:
    """A ConfigMap with a key `a`."""
    return body(CONFIG_MAP, name, **{"data": {"a": "1"}, **parts})


def owned(owner: Object) -> dict[str, Any]:
    """Metadata of a child."""
    reference = {"kind": owner["kind"], "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
    return {"ownerReferences": [{**reference, "controller": True}]}
