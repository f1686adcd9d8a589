"""Merges watch events, our own writes and LISTs into the cache by resourceVersion, and remembers deletions so that a
stale event cannot bring an object back.
"""

import sys
from collections.abc import Callable, Iterable
from typing import Any

from linplane_api import names
from linplane_api.kinds import CONFIG_MAP, POD, Kind

from ..compile.change_events import MANAGED
from ..compile.objects import Object, controller_uid, label_of, meta, uid_of
from ..observe.cache import Key, ObjectCache, key_of
from ..runtime.enqueue import WorkKey, keys_for_change

SHORT = 64
"""The length up to which texts are interned: names, UIDs, times, reasons."""


class Informer:
    """Updates the cache and enqueues the keys that a change affects. Used by one event loop."""

    def __init__(self, cache: ObjectCache, add: Callable[[Iterable[WorkKey]], None]) -> None:
        self._cache = cache
        self._add = add
        self._gone: dict[tuple[str, str], int] = {}  # by kind and UID of deleted objects: resourceVersion
        self.silent = False  # enqueues nothing: during the first lists, after which everything is reconciled
        self._names: set[tuple[str, Key]] = set()  # kinds and names of deleted children

    def seen(self, kind: Kind, body: Object) -> None:
        """Accepts an object from the API server, unless the cache has a newer one or it was deleted since. `resync`
        checks that resourceVersions never go back.
        """
        namespace, name = key_of(body)
        known = self._cache.get(kind, namespace, name)
        if (kind.kind, uid_of(body)) in self._gone:
            return
        if known is not None and uid_of(known) == uid_of(body) and version_of(body) <= version_of(known):
            return
        body = slim(kind, body)
        before = self._cache.put(kind, body)
        if not self.silent:
            self._add(keys_for_change(self._cache, kind, before, body))

    def deleted(self, kind: Kind, body: Object) -> None:
        """Removes an object from the cache, if it has the same UID there."""
        self._gone[kind.kind, uid_of(body)] = version_of(body)
        if controller_uid(body):
            self._names.add((kind.kind, key_of(body)))
        namespace, name = key_of(body)
        known = self._cache.get(kind, namespace, name)
        if known is not None and uid_of(known) == uid_of(body):
            self._cache.drop(kind, namespace, name)
            self._add(keys_for_change(self._cache, kind, known, None))

    def was_deleted(self, kind: Kind, key: Key) -> bool:
        """True if a child of that kind and name was deleted lately."""
        return (kind.kind, key) in self._names

    def missing(self, kind: Kind, namespace: str | None, present: set[Key]) -> list[Object]:
        """Cached objects that a complete list lacks; the caller confirms each by a live GET."""
        return [body for body in self._cache.all(kind, namespace) if key_of(body) not in present]

    def forget_old(self, kinds: Iterable[Kind]) -> None:
        """Forgets deletions of these kinds. Call it after a complete list of them, if they are listed, and of the kinds
        that may own them.
        """
        names = {kind.kind for kind in kinds}
        self._gone = {key: version for key, version in self._gone.items() if key[0] not in names}
        self._names = {key for key in self._names if key[0] not in names}


def slim(kind: Kind, body: Object) -> Object:
    """The object without the parts that the operator never reads: managedFields (except one field), a Pod's spec,
    kubectl's annotations, binary values of foreign ConfigMaps (their keys stay). Short texts are interned, as thousands
    of objects repeat them.
    """
    metadata = dict(meta(body))
    managed = _managed(kind, metadata.pop("managedFields", None) or ())
    if managed:
        metadata["managedFields"] = managed
    annotations = metadata.get("annotations") or {}
    if "kubectl.kubernetes.io/last-applied-configuration" in annotations:
        kept = {key: value for key, value in annotations.items() if not key.startswith("kubectl.kubernetes.io/")}
        metadata["annotations"] = kept
    slimmed = {**body, "metadata": metadata}
    if kind is POD:
        slimmed.pop("spec", None)
    if kind is CONFIG_MAP and "binaryData" in body and label_of(body, names.LABEL_MANAGED_BY) != names.APP:
        slimmed["binaryData"] = dict.fromkeys(body["binaryData"] or (), "")
    shared: Object = _shared(slimmed)
    return shared


def _shared(value: Any) -> Any:
    """The same value with interned texts."""
    if type(value) is str:
        return sys.intern(value) if len(value) <= SHORT else value
    if type(value) is dict:
        return {sys.intern(key): _shared(item) for key, item in value.items()}
    if type(value) is list:
        return [_shared(item) for item in value]
    return value


def _managed(kind: Kind, entries: Iterable[Object]) -> list[Object]:
    """The managers of the field whose changes are reported in Events."""
    field = f"f:{MANAGED[kind]}" if kind in MANAGED else ""
    return [
        {"manager": entry.get("manager"), "fieldsV1": {"f:spec": {field: {}}}}
        for entry in entries
        if field and field in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
    ]


def version_of(body: Object) -> int:
    """metadata.resourceVersion, which every write increases; 0 if there is none."""
    text = str(meta(body).get("resourceVersion", "0"))
    return int(text) if text.isdigit() else 0
