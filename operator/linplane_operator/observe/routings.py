"""The routing ConfigMaps in the cache, and what each route served last. No I/O, no clock, no decisions."""

from collections.abc import Mapping

from linplane_api import names
from linplane_api.kinds import CONFIG_MAP, MODEL_SERVER
from linplane_api.routing import Entry, RouteDocument

from ..compile.adoption import is_orphan
from ..compile.last_good import digests_of_status, document_of_status, proven, without_weights
from ..compile.objects import Object, name_of, server_of, uid_of
from ..compile.observed import ConfigMap
from ..compile.routing_view import Routing, read_routing
from ..compile.server import make_routing
from .cache import Key, ObjectCache, key_of
from .last_good import LastGood
from .versions import judge_versions


class Routings:
    """Routing ConfigMaps by server, each read once for each state of it, and the memory of what served last."""

    def __init__(self, cache: ObjectCache) -> None:
        self._cache = cache
        # results, each kept while its ConfigMap is the same
        self._read: dict[Key, Routing] = {}
        self._orphans: dict[Key, Routing] = {}
        self._last_good = LastGood(cache)

    def find(self, namespace: str, server: str) -> Routing | None:
        """The routing ConfigMap of a server, None if it has none of its own."""
        key = (namespace, server)
        body = self._cache.typed(ConfigMap, namespace, names.routing_name(server))
        owner = self._cache.get(MODEL_SERVER, namespace, server)
        if body is None or owner is None or body.controller_uid != uid_of(owner):
            self._read.pop(key, None)
            return None
        known = self._read.get(key)
        if known is None or known.config_map is not body:
            known = self._read[key] = read_routing(body, known)
            self._last_good.keep(namespace, known.entries)
            for route in known.unread:  # what serves is not known: the status was written with it
                self._last_good.forget(namespace, route)
        return known

    def taken(self, namespace: str, server: str) -> str:
        """The object with the name of a server's routing ConfigMap that is not its own (`ConfigMap x`), or empty."""
        owner = self._cache.get(MODEL_SERVER, namespace, server)
        body = self._cache.typed(ConfigMap, namespace, names.routing_name(server))
        if owner is None or body is None or body.controller_uid == uid_of(owner):
            return ""
        if is_orphan(body.body, make_routing(owner, {})):
            return ""
        return f"{CONFIG_MAP.kind} {body.name}"

    def find_orphan(self, namespace: str, server: str) -> Routing | None:
        """A routing ConfigMap that has lost its owner and that the ModelServer of that name may adopt."""
        body = self._cache.typed(ConfigMap, namespace, names.routing_name(server))
        owner = self._cache.get(MODEL_SERVER, namespace, server)
        if body is None or owner is None or not is_orphan(body.body, make_routing(owner, {})):
            self._orphans.pop((namespace, server), None)
            return None
        known = self._orphans.get((namespace, server))
        if known is None or known.config_map is not body:
            known = self._orphans[namespace, server] = read_routing(body, known)
        return known

    def unknown_routes(self, namespace: str, server: str, routes: Mapping[str, Object]) -> list[str]:
        """The routes that have an entry in a server's routing ConfigMap and are not among its `routes`."""
        routing = self.find(namespace, server)
        return sorted(routing.state.routes.keys() - routes.keys()) if routing else []

    def last_entry(self, route: Object) -> Entry | None:
        """The entry that was in force last, also if its ConfigMap is gone; None if this process has not seen one."""
        return self._last_good.of(route)

    def known_entry(self, route: Object, entry: Entry | None) -> Entry | None:
        """The entry from which fields of a later release are copied: the one in force, else the one seen last, else
        that of a ConfigMap that has lost its owner.
        """
        if entry:
            return entry
        orphan = self.find_orphan(key_of(route)[0], server_of(route))
        return self._last_good.of(route) or (orphan.entries.get(name_of(route)) if orphan else None)

    def last_document(self, route: Object, entry: Entry | None) -> RouteDocument | None:
        """The last good document: that of the entry in force, else the one seen last, else that of an orphaned
        ConfigMap, else that of the route's status.
        """
        if last := entry or self._last_good.of(route):
            return last.document
        return self._stored_document(route)

    def _stored_document(self, route: Object) -> RouteDocument | None:
        """The document of a route in an orphaned ConfigMap, else that of the route's status. Without weights: these are
        taken from versions that are Ready with the digest that is given there.
        """
        namespace, name = key_of(route)
        orphan = self.find_orphan(namespace, server_of(route))
        if orphan and name in orphan.state.routes:  # also if the entry can't be read: the status is of no other traffic
            document = orphan.entries[name].document if name in orphan.entries else None
            digests = {version: served.digest for version, served in document.versions.items()} if document else {}
        else:
            document, digests = document_of_status(route), digests_of_status(route)
        if document is None:
            return None
        versions = judge_versions(self._cache, namespace, document.model, digests)
        return proven(without_weights(document), digests, versions)

    def forget_route(self, namespace: str, route: str) -> None:
        """Drops what a route that is gone served last."""
        self._last_good.forget(namespace, route)

    def forget_server(self, namespace: str, server: str) -> None:
        """Drops the state of a ModelServer that is gone."""
        self._read.pop((namespace, server), None)
        self._orphans.pop((namespace, server), None)
