"""One debug line per write: verb, kind, name and the changed fields."""

import logging

from linplane_api.kinds import Kind

from ..compile.objects import Object
from ..observe.cache import key_of

IDENTITY = ("apiVersion", "kind")
SET_BY_SERVER = frozenset({"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"})

log = logging.getLogger(__name__)


def changed_fields(before: Object, after: Object) -> list[str]:
    """The fields that differ, two levels deep and sorted: `data.model.json`, `spec.replicas`, `immutable`. Metadata
    that an API server sets by itself does not count.
    """
    changed = []
    for part in sorted((before.keys() | after.keys()) - set(IDENTITY)):
        old, new = before.get(part), after.get(part)
        if isinstance(old or {}, dict) and isinstance(new or {}, dict):
            old, new = old or {}, new or {}
            keys = (old.keys() | new.keys()) - (SET_BY_SERVER if part == "metadata" else set())
            changed += [f"{part}.{key}" for key in sorted(keys) if old.get(key) != new.get(key)]
        elif old != new:
            changed.append(part)
    return changed


def log_write(verb: str, kind: Kind, before: Object | None, after: Object) -> None:
    """Logs a write that succeeded. `before`: the object as it was known, None if it was not."""
    if log.isEnabledFor(logging.DEBUG):
        fields = changed_fields(before or {}, after) if verb != "delete" else []
        log.debug("%s %s %s/%s%s", verb, kind.kind, *key_of(after), f": {', '.join(fields)}" if fields else "")
