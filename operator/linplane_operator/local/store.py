"""The objects of a state folder, with the habits of an API server: UIDs, generations, resourceVersions,
immutability.
"""

import json
import uuid
from collections.abc import Callable
from datetime import datetime

from linplane_api.folder import write_atomically
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

from ..cluster import ConflictError
from ..compile.objects import Object, meta, name_of, uid_of
from ..world import World, key_of
from .layout import Layout

NAMESPACE = "default"
PERSISTED = (LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, CONFIG_MAP, JOB, DEPLOYMENT)
"""Pods and their reports live as long as their processes; everything else survives a restart."""

Changed = Callable[[Kind, Object | None, Object | None], None]


class Store:
    """Reads and writes objects; each write is one atomic file. Raises OSError where the disk refuses."""

    def __init__(self, layout: Layout, world: World, now: Callable[[], datetime], changed: Changed) -> None:
        """`changed(kind, before, after)` is called after each change, when the world has it."""
        self._layout = layout
        self._world = world
        self._now = now
        self._changed = changed
        self._version = 0

    def load(self) -> list[str]:
        """Brings back what an earlier run left; returns the names of files that could not be read."""
        damaged = []
        for kind in PERSISTED:
            for path in sorted((self._layout.objects / kind.plural).glob("*.json")):
                try:
                    body = json.loads(path.read_text(encoding="utf-8"))
                    version = int(body["metadata"]["resourceVersion"])
                except (ValueError, KeyError, TypeError):
                    damaged.append(str(path))
                    continue
                self._version = max(self._version, version)
                self._world.put(kind, body)
        return damaged

    def get(self, kind: Kind, name: str) -> Object | None:
        """The object, None where there is none."""
        return self._world.get(kind, NAMESPACE, name)

    def all(self, kind: Kind) -> list[Object]:
        """Every object of a kind, by name."""
        return self._world.all(kind, NAMESPACE)

    def create(self, kind: Kind, body: Object) -> Object:
        """Raises ConflictError where it exists."""
        name = name_of(body)
        if self.get(kind, name) is not None:
            raise ConflictError(f"{kind.kind} {name} exists")
        fresh = {
            "namespace": NAMESPACE,
            "uid": str(uuid.uuid4()),
            "generation": 1,
            "creationTimestamp": self._now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        return self._put(kind, None, {**body, "metadata": {**meta(body), **fresh}})

    def update(self, kind: Kind, before: Object, body: Object) -> Object:
        """Sets the object's own fields; a change of what is not metadata or status raises the generation.

        Equal content writes nothing. Raises ConflictError where an immutable ConfigMap would change.
        """
        kept = {k: meta(before)[k] for k in ("namespace", "uid", "creationTimestamp", "generation", "resourceVersion")}
        after = {**body, "metadata": {**meta(body), **kept}}
        if after == before:
            return before
        if before.get("immutable") and any(after.get(k) != before.get(k) for k in ("data", "immutable")):
            raise ConflictError(f"{kind.kind} {name_of(before)} is immutable")
        if after.get("spec") != before.get("spec"):
            after["metadata"]["generation"] = int(kept["generation"]) + 1
        return self._put(kind, before, after)

    def delete(self, kind: Kind, body: Object) -> None:
        """Deletes the object of that UID, and whatever it owns."""
        found = self.get(kind, name_of(body))
        if found is None or uid_of(found) != uid_of(body):
            return
        self._world.drop(kind, *key_of(found))
        if kind in PERSISTED:
            self._layout.object_file(kind, name_of(found)).unlink(missing_ok=True)
        self._changed(kind, found, None)
        for child_kind in (*PERSISTED, *(k for k in OURS if k not in PERSISTED)):
            for child in self._world.find(child_kind, NAMESPACE, f"owner={uid_of(found)}"):
                self.delete(child_kind, child)

    def collect_orphans(self) -> None:
        """Deletes what is owned by an object that is gone: a crash may have come between the two."""
        alive = {uid_of(body) for kind in PERSISTED for body in self._world.all(kind)}
        for kind in PERSISTED:
            for body in self._world.all(kind):
                owners = meta(body).get("ownerReferences") or ()
                if owners and not any(owner.get("uid") in alive for owner in owners):
                    self.delete(kind, body)

    def _put(self, kind: Kind, before: Object | None, after: Object) -> Object:
        self._version += 1
        after["metadata"]["resourceVersion"] = str(self._version)
        if kind in PERSISTED:
            path = self._layout.object_file(kind, name_of(after))
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, json.dumps(after, indent=1).encode())
        self._world.put(kind, after)
        self._changed(kind, before, after)
        return after
