"""The objects of a state folder, with an API server's UIDs, generations, resourceVersions and immutability."""

import json
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from linplane_api.files import write_atomically
from linplane_api.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    JOB,
    LINEAR_MODEL,
    MODEL_ROUTE,
    MODEL_SERVER,
    OURS,
    Kind,
)
from linplane_api.resources import LinearModelSpec, ModelRouteSpec, ModelServerSpec, parse_spec
from linplane_api.timing import rfc3339

from ..cluster_client import ConflictError
from ..compile.objects import Object, meta, name_of, owners_of, uid_of
from ..observe.cache import ObjectCache, key_of
from .state_dir import StateDir

NAMESPACE = "default"
PERSISTED = (LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, CONFIG_MAP, JOB, DEPLOYMENT)
"""The kinds that survive a restart; Pods and their reports live as long as their processes."""

_SPECS: dict[Kind, Any] = {
    LINEAR_MODEL: LinearModelSpec,
    MODEL_ROUTE: ModelRouteSpec,
    MODEL_SERVER: ModelServerSpec,
}
_KEPT = ("namespace", "uid", "creationTimestamp", "generation", "resourceVersion")

Changed = Callable[[Kind, Object | None, Object | None], None]


class Store:
    """Reads and writes objects; each write is one atomic file. Raises OSError if the disk fails."""

    def __init__(self, state_dir: StateDir, cache: ObjectCache, now: Callable[[], datetime], changed: Changed) -> None:
        """`changed(kind, before, after)` is called after each change, once the cache has it."""
        self._state_dir = state_dir
        self._cache = cache
        self._now = now
        self._changed = changed
        self._version = 0
        self._heirs: dict[tuple[str, str], str] = {}  # UIDs of damaged objects, from the references of their children

    def load(self) -> dict[tuple[str, str], Path]:
        """Loads the objects of an earlier run. Files that cannot be read are moved away; returns their new paths by
        kind and name.

        An object that replaces a damaged one gets its UID, so that it keeps its children.
        """
        damaged: dict[tuple[str, str], Path] = {}
        for kind in PERSISTED:
            for path in sorted((self._state_dir.objects / kind.plural).glob("*.json")):
                body = _read(kind, path)
                if body is None:
                    damaged[kind.kind, path.stem] = self._state_dir.set_aside(path)
                    continue
                self._version = max(self._version, int(meta(body)["resourceVersion"]))
                self._cache.put(kind, body)
        for body in (body for kind in PERSISTED for body in self._cache.all(kind)):
            for owner in owners_of(body):
                key = (str(owner.get("kind")), str(owner.get("name")))
                if key in damaged:
                    self._heirs[key] = str(owner.get("uid"))
        self._collect_orphans()
        return damaged

    def get(self, kind: Kind, name: str) -> Object | None:
        """The object, None if it does not exist."""
        return self._cache.get(kind, NAMESPACE, name)

    def all(self, kind: Kind) -> list[Object]:
        """Every object of a kind, by name."""
        return self._cache.all(kind, NAMESPACE)

    def owned(self, kind: Kind, owner: Object) -> list[Object]:
        """The objects of a kind that `owner` controls."""
        return self._cache.find(kind, NAMESPACE, f"owner={uid_of(owner)}")

    def create(self, kind: Kind, body: Object, uid: str | None = None) -> Object:
        """Raises ConflictError if it exists."""
        name = name_of(body)
        if self.get(kind, name) is not None:
            raise ConflictError(f"{kind.kind} {name} exists")
        fresh = {
            "namespace": NAMESPACE,
            "uid": uid or self._heirs.get((kind.kind, name)) or str(uuid.uuid4()),
            "generation": 1,
            "creationTimestamp": rfc3339(self._now()),
        }
        result = self._put(kind, None, {**body, "metadata": {**meta(body), **fresh}})
        self._heirs.pop((kind.kind, name), None)
        return result

    def update(self, kind: Kind, before: Object, body: Object) -> Object:
        """Replaces the object except for the metadata of the server; a change of the spec increases the generation.

        Equal content writes nothing. Raises ConflictError if an immutable ConfigMap would change.
        """
        kept = {key: meta(before)[key] for key in _KEPT}
        after = {**body, "metadata": {**meta(body), **kept}}
        if after == before:
            return before
        if before.get("immutable") and any(after.get(k) != before.get(k) for k in ("data", "binaryData", "immutable")):
            raise ConflictError("Forbidden: field is immutable when `immutable` is set")
        if after.get("spec") != before.get("spec"):
            after["metadata"]["generation"] = int(kept["generation"]) + 1
        return self._put(kind, before, after)

    def delete(self, kind: Kind, body: Object) -> None:
        """Deletes the object of that UID and everything that it owns."""
        found = self.get(kind, name_of(body))
        if found is None or uid_of(found) != uid_of(body):
            return
        if kind in PERSISTED:
            self._state_dir.object_file(kind, name_of(found)).unlink(missing_ok=True)
        self._cache.drop(kind, *key_of(found))
        self._changed(kind, found, None)
        for child_kind in (*PERSISTED, *(k for k in OURS if k not in PERSISTED)):
            for child in self._cache.find(child_kind, NAMESPACE, f"owner={uid_of(found)}"):
                self.delete(child_kind, child)

    def write_all(self) -> None:
        """Writes every object to a recreated state folder. Raises OSError."""
        for kind in PERSISTED:
            for body in self._cache.all(kind):
                self._write(self._state_dir.object_file(kind, name_of(body)), body)

    def _write(self, path: Path, body: Object) -> None:
        self._state_dir.make(path.parent)
        write_atomically(path, json.dumps(body, indent=1).encode())

    def _collect_orphans(self) -> None:
        """Deletes objects whose owner is gone, as after a crash between two deletions."""
        alive = {uid_of(body) for kind in PERSISTED for body in self._cache.all(kind)} | set(self._heirs.values())
        for kind in PERSISTED:
            for body in self._cache.all(kind):
                owners = owners_of(body)
                if owners and not any(owner.get("uid") in alive for owner in owners):
                    self.delete(kind, body)

    def _put(self, kind: Kind, before: Object | None, after: Object) -> Object:
        after["metadata"]["resourceVersion"] = str(self._version + 1)
        if kind in PERSISTED:
            path = self._state_dir.object_file(kind, name_of(after))
            self._write(path, after)
        self._version += 1
        self._cache.put(kind, after)
        self._changed(kind, before, after)
        return after


def _read(kind: Kind, path: Path) -> Object | None:
    """The object of a file, None if the file is damaged."""
    try:
        body: Object = json.loads(path.read_text(encoding="utf-8"))
        metadata = body["metadata"]
        sound = [body["kind"], metadata["name"], metadata["namespace"]] == [kind.kind, path.stem, NAMESPACE]
        numbers = [int(metadata[key]) for key in ("generation", "resourceVersion")]
        sound = sound and isinstance(metadata["uid"], str) and min(numbers) > 0
        if kind in _SPECS:
            parse_spec(body, _SPECS[kind])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return body if sound else None
