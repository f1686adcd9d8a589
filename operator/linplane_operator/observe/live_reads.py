"""Live GETs for objects missing from the cache. A LIST can be incomplete; an object counts as absent only once the API
server confirms it.
"""

import contextlib
from collections.abc import Iterable, Mapping

from linplane_api import names
from linplane_api.canonical import FormatError
from linplane_api.kinds import CONFIG_MAP, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, POD, REPLICA_REPORT, Kind
from linplane_api.resources import LinearModelSpec, ModelRouteSpec, parse_spec

from ..cluster_client import ClusterClient
from ..compile.acknowledgements import loaded_by
from ..compile.artifacts import OwnedObjects
from ..compile.model_plan import unseen
from ..compile.objects import Object, namespace_of
from ..compile.routing import named_versions
from ..compile.routing_view import Routing
from .cache import ObjectCache, key_of
from .replicas import unready_replicas, unseen_replicas
from .routings import Routings
from .versions import has_sealed_artifact, owned_objects


class LiveReader:
    """Reads objects that the cache lacks, and no others; those that are found are in the cache afterwards."""

    def __init__(self, cache: ObjectCache, routings: Routings, cluster: ClusterClient) -> None:
        self._cache = cache
        self._routings = routings
        self._cluster = cluster

    async def owned_objects(self, model: Object, spec: LinearModelSpec) -> OwnedObjects:
        """The objects that belong to a version."""
        read: set[tuple[Kind, str]] = set()
        while True:
            owned = owned_objects(self._cache, model, spec)
            missing = [item for item in unseen(model, spec, owned) if item not in read]
            if not missing:
                return owned
            for kind, name in missing:
                await self._cluster.read(kind, namespace_of(model), name)
            read |= set(missing)

    async def server(self, namespace: str, name: str) -> Object | None:
        """A ModelServer."""
        return await self._see(MODEL_SERVER, namespace, name)

    async def read_for_route(self, route: Object, spec: ModelRouteSpec) -> Routing | None:
        """Reads all that decides about a route: its server and the ConfigMap of that, the versions and their artifacts,
        those of what was last good too if no entry is in force, else the replicas that have not loaded it. Returns the
        routing ConfigMap that this is about.
        """
        (namespace, name), server = key_of(route), spec.server_name
        if await self.server(namespace, server):
            await self._see(CONFIG_MAP, namespace, names.routing_name(server))
        await self._versions(namespace, spec.model, named_versions(spec, None))
        routing = self._routings.find(namespace, server)
        if routing and (entry := routing.entries.get(name)):
            await self._replicas(namespace, server, routing.state.uid, entry.sequence)
        else:
            before = self._routings.last_document(route, None)
            await self._versions(namespace, spec.model, named_versions(spec, before))
        return routing

    async def _versions(self, namespace: str, model: str, wanted: Iterable[str]) -> None:
        """Reads versions of a model and their artifacts."""
        for version in sorted(wanted):
            body = await self._see(LINEAR_MODEL, namespace, names.model_object_name(model, version))
            if body is None or has_sealed_artifact(self._cache, body):
                continue
            with contextlib.suppress(FormatError):  # its own reconcile reports it
                await self.owned_objects(body, parse_spec(body, LinearModelSpec))

    async def _replicas(self, namespace: str, server: str, uid: str, sequence: int) -> None:
        """Reads the pods of reports that are behind: one that is not ready in the cache may answer by now. Then it is
        waited for.
        """
        for replica in unready_replicas(self._cache, namespace, server):
            if loaded_by([replica], uid, sequence, terminating=True).problem:
                await self._cluster.read(POD, namespace, replica.name)

    async def left_reports(self, namespace: str, server: str) -> list[Object]:
        """The reports whose pod is gone, as the API server confirms. Only pods that the cache lacks are read."""
        left = []
        for replica in unseen_replicas(self._cache, namespace, server):
            report = self._cache.get(REPLICA_REPORT, namespace, replica.name)
            if await self._see(POD, namespace, replica.name) is None and report is not None:
                left.append(report)
        return left

    async def unknown_routes(
        self, namespace: str, server: str, routes: Mapping[str, Object]
    ) -> dict[str, Object | None]:
        """The routes that have an entry and are not among a server's `routes`, as they are now: None if one is gone."""
        unknown = self._routings.unknown_routes(namespace, server, routes)
        return {name: await self._cluster.read(MODEL_ROUTE, namespace, name) for name in unknown}

    async def _see(self, kind: Kind, namespace: str, name: str) -> Object | None:
        return self._cache.get(kind, namespace, name) or await self._cluster.read(kind, namespace, name)
