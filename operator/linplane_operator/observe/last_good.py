"""The last good entry of each route, kept in this process: it outlives the routing ConfigMap and the ModelServer."""

from collections.abc import Mapping

from linplane_api.kinds import MODEL_ROUTE
from linplane_api.routing import Entry

from ..compile.objects import Object, uid_of
from .cache import Key, ObjectCache, key_of


class LastGood:
    """The last readable entry of each route, weights included. It belongs to one route object, by UID."""

    def __init__(self, cache: ObjectCache) -> None:
        """Starts empty."""
        self._cache = cache
        self._entries: dict[Key, tuple[str, Entry]] = {}

    def keep(self, namespace: str, entries: Mapping[str, Entry]) -> None:
        """Remembers the entries of a routing ConfigMap, of the routes that exist."""
        for name, entry in entries.items():
            if route := self._cache.get(MODEL_ROUTE, namespace, name):
                self._entries[namespace, name] = uid_of(route), entry

    def of(self, route: Object) -> Entry | None:
        """The entry that was in force last; None if this process has not seen one."""
        uid, entry = self._entries.get(key_of(route), ("", None))
        return entry if uid == uid_of(route) else None

    def forget(self, namespace: str, route: str) -> None:
        """Drops the entry of a route that is gone."""
        self._entries.pop((namespace, route), None)
