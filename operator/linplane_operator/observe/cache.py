"""The cache of watched objects, indexed by name, owner and references. The informer or the local store fills it."""

from collections.abc import Iterable, Iterator
from typing import TypeVar, cast

from linplane_api import names
from linplane_api.canonical import FormatError
from linplane_api.conditions import ConditionType
from linplane_api.kinds import LINEAR_MODEL, MODEL_ROUTE, POD, REPLICA_REPORT, Kind
from linplane_api.resources import ConfigMapKeyRef, LinearModelSpec, parse_spec

from ..compile.conditions import holds
from ..compile.objects import (
    Object,
    controller_uid,
    generation_of,
    label_of,
    name_of,
    namespace_of,
    part,
    server_of,
    spec_of,
    status_of,
)
from ..compile.observed import OBSERVED, ConfigMap, Observed

Key = tuple[str, str]  # namespace, name
T = TypeVar("T", bound=Observed | ConfigMap)


def key_of(body: Object) -> Key:
    """Namespace and name."""
    return namespace_of(body), name_of(body)


def index_terms(kind: Kind, body: Object) -> set[str]:
    """The index terms of an object. `waiting`: it waits for acknowledgements of replicas."""
    terms = set()
    spec = spec_of(body)
    if owner := controller_uid(body):
        terms.add(f"owner={owner}")
    if kind in (LINEAR_MODEL, MODEL_ROUTE):
        terms.add(f"model={spec.get('model')}")
    if kind is LINEAR_MODEL:
        if ref := _source_ref(body):
            terms.add(f"source={ref.name}")
        if spec.get("frozen") and not holds(status_of(body), ConditionType.WITHDRAWN):
            terms.add("waiting")
    if kind is MODEL_ROUTE:
        server = server_of(body)
        terms.add(f"server={server}")
        of_now = status_of(body).get("observedGeneration") == generation_of(body)  # it may be held back for a moment
        if not (of_now and holds(status_of(body), ConditionType.CONVERGED)):
            terms.add(f"waiting={server}")
    if kind is REPLICA_REPORT:
        terms.add(f"server={part(body, 'report').get('serverName')}")
    if kind is POD:
        terms |= {f"server={server}", "serves"} if (server := label_of(body, names.LABEL_SERVER)) else set()
        terms |= {f"job={job}"} if (job := label_of(body, names.LABEL_JOB)) else set()
    return terms


def _source_ref(model: Object) -> ConfigMapKeyRef | None:
    """The ConfigMap that a version reads. None also if the spec cannot be read."""
    try:
        return parse_spec(model, LinearModelSpec).source_ref
    except FormatError:
        return None


class ObjectCache:
    """The objects, by kind. Not thread-safe: one event loop owns it."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[Key, Object]] = {}
        self._observed: dict[str, dict[Key, Observed | ConfigMap]] = {}  # of the kinds that have a type
        self._index: dict[tuple[str, str, str], set[str]] = {}  # kind, namespace, term -> names

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """The object, None if it is not cached."""
        return self._objects.get(kind.kind, {}).get((namespace, name))

    def all(self, kind: Kind, namespace: str | None = None) -> list[Object]:
        """Every object of a kind, in the order of namespace and name."""
        items = sorted(self._objects.get(kind.kind, {}).items())
        return [body for (space, _), body in items if namespace in (None, space)]

    def find(self, kind: Kind, namespace: str, term: str) -> list[Object]:
        """The objects with an index term, in the order of their names."""
        found = sorted(self._index.get((kind.kind, namespace, term), ()))
        return [body for name in found if (body := self.get(kind, namespace, name)) is not None]

    def typed(self, kind: type[T], namespace: str, name: str) -> T | None:
        """The typed object, None if it is not known."""
        return cast("T | None", self._observed.get(kind.KIND.kind, {}).get((namespace, name)))

    def find_typed(self, kind: type[T], namespace: str, term: str) -> list[T]:
        """The typed objects with an index term, in the order of their names."""
        found = sorted(self._index.get((kind.KIND.kind, namespace, term), ()))
        return [one for name in found if (one := self.typed(kind, namespace, name)) is not None]

    def put(self, kind: Kind, body: Object) -> Object | None:
        """Remembers an object; returns the one that was known before."""
        key = key_of(body)
        before = self.drop(kind, *key)
        self._objects.setdefault(kind.kind, {})[key] = body
        if kind in OBSERVED:
            self._observed.setdefault(kind.kind, {})[key] = OBSERVED[kind].of(body)
        for slot in self._slots(kind, body):
            self._index.setdefault(slot, set()).add(key[1])
        return before

    def drop(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """Forgets an object, and returns it."""
        before = self._objects.get(kind.kind, {}).pop((namespace, name), None)
        self._observed.get(kind.kind, {}).pop((namespace, name), None)
        for slot in self._slots(kind, before) if before else ():
            self._index[slot].discard(name)
            if not self._index[slot]:
                del self._index[slot]
        return before

    def _slots(self, kind: Kind, body: Object) -> Iterator[tuple[str, str, str]]:
        namespace = key_of(body)[0]
        for term in index_terms(kind, body):
            yield kind.kind, namespace, term

    def namespaces(self, kinds: Iterable[Kind]) -> set[str]:
        """Every namespace that has an object of one of these kinds."""
        return {namespace for kind in kinds for namespace, _ in self._objects.get(kind.kind, {})}
