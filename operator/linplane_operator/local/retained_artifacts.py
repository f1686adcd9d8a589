"""Artifacts of deleted versions: each is kept for a while, and restored if the same version with the same recipe is
created again.

So deleting a manifest by mistake costs no training and does not change a version. One file per version in the state
folder, outside of the store.
"""

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from linplane_api.files import write_atomically
from linplane_api.kinds import CONFIG_MAP, LINEAR_MODEL, Kind
from linplane_api.resources import LinearModelSpec, parse_spec
from linplane_api.timing import parse_rfc3339, rfc3339

from ..cluster_client import ConflictError
from ..compile.artifacts import judge, sealed_artifacts
from ..compile.objects import Object, meta, name_of, status_of, uid_of
from ..compile.observed import ConfigMap
from .console_events import Line, Notify
from .state_dir import StateDir
from .store import Store

RETENTION = timedelta(minutes=10)


@dataclass(frozen=True)
class _Entry:
    """A deleted LinearModel with its sealed artifacts, and when it was deleted."""

    path: Path
    deleted_at: datetime
    model: Object
    artifacts: list[Object]


class RetainedArtifacts:
    """Keeps and restores artifacts. Raises OSError if the disk fails: nothing is lost, the next call continues."""

    def __init__(self, state_dir: StateDir, store: Store, now: Callable[[], datetime], notify: Notify) -> None:
        """`now` returns the current time, aware; times in files of earlier processes are compared with it."""
        self._state_dir = state_dir
        self._store = store
        self._now = now
        self._notify = notify
        self._entries: list[_Entry] = []

    def load(self) -> None:
        """Loads the entries of earlier processes; removes those that are damaged or already restored."""
        self._entries = []
        for path in sorted(self._state_dir.retained.glob("*.json")):
            entry = _read(path)
            alive = self._store.get(LINEAR_MODEL, name_of(entry.model)) if entry else None
            if entry is None or (alive and uid_of(alive) == uid_of(entry.model)):
                path.unlink(missing_ok=True)
            else:
                self._entries.append(entry)

    def keep(self, kind: Kind, body: Object) -> None:
        """Keeps the artifacts of a LinearModel that is about to be deleted."""
        if kind is not LINEAR_MODEL:
            return
        owned = [ConfigMap.of(one) for one in self._store.owned(CONFIG_MAP, body)]
        artifacts = [one.body for one in sealed_artifacts(body, owned)]
        if not artifacts:
            return
        path = self._state_dir.retained / f"{name_of(body)}.{uid_of(body)}.json"
        entry = _Entry(path, self._now(), body, artifacts)
        self._state_dir.make(path.parent)
        content = {"deletedAt": rfc3339(entry.deleted_at, "microseconds"), "model": body, "artifacts": artifacts}
        write_atomically(path, json.dumps(content, indent=1).encode())
        self._entries = [*(e for e in self._entries if e.path != path), entry]

    def create(self, kind: Kind, body: Object) -> Object:
        """Creates an object; a LinearModel with the recipe of a deleted one gets its UID, status and artifacts. Raises
        ConflictError if it exists.
        """
        self.expire()
        entry = self._match(body) if kind is LINEAR_MODEL else None
        if entry is None:
            return self._store.create(kind, body)
        for artifact in entry.artifacts:  # before its owner: a crash between the two leaves an orphan, and the file
            with contextlib.suppress(ConflictError):
                self._store.create(CONFIG_MAP, artifact)
        after = self._store.create(kind, {**body, "status": status_of(entry.model)}, uid_of(entry.model))
        self._drop(entry)
        since = entry.deleted_at.astimezone().strftime("%H:%M:%S")
        text = f"{name_of(body)}: was deleted at {since}; its artifact is restored without training"
        self._notify(Line("restored", text, "good"))
        return after

    def expire(self) -> None:
        """Removes entries older than RETENTION."""
        for entry in [e for e in self._entries if self._now() - e.deleted_at >= RETENTION]:
            self._drop(entry)

    def _drop(self, entry: _Entry) -> None:
        entry.path.unlink(missing_ok=True)
        self._entries.remove(entry)

    def _match(self, body: Object) -> _Entry | None:
        """The last deleted version of this name whose artifact has the recipe of `body`."""
        spec = parse_spec(body, LinearModelSpec)
        for entry in sorted(self._entries, key=lambda e: e.deleted_at, reverse=True):
            if name_of(entry.model) == name_of(body):
                again = {**body, "metadata": {**meta(body), "uid": uid_of(entry.model)}}
                if judge(again, spec, [ConfigMap.of(one) for one in entry.artifacts]).file is not None:
                    return entry
        return None


def _read(path: Path) -> _Entry | None:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        deleted_at = parse_rfc3339(content["deletedAt"])
        model, artifacts = content["model"], content["artifacts"]
        whole = bool(uid_of(model)) and all(map(uid_of, artifacts))
        sealed_artifacts(model, [ConfigMap.of(one) for one in artifacts])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return _Entry(path, deleted_at, model, artifacts) if whole else None
