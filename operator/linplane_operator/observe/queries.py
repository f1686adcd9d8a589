"""Queries on the cache that gather the inputs of plans. No I/O, no clock, no decisions."""

from collections.abc import Mapping
from datetime import datetime

from linplane_api import names
from linplane_api.canonical import FormatError
from linplane_api.conditions import Cause
from linplane_api.kinds import (
    LINEAR_MODEL,
    MODEL_ROUTE,
    MODEL_SERVER,
    POD,
    SERVICE_ACCOUNT,
)
from linplane_api.resources import LinearModelSpec, ModelRouteSpec, ModelRouteStatus, ModelServerSpec, parse_spec
from linplane_api.routing import Entry

from ..compile.artifacts import OwnedObjects
from ..compile.last_good import has_served
from ..compile.model_plan import ModelInputs
from ..compile.objects import (
    Object,
    created_of,
    has_grpc,
    is_deleting,
    label_of,
    name_of,
    spec_of,
    status_of,
)
from ..compile.observed import Deployment
from ..compile.outcome import Applied
from ..compile.route_plan import RouteInputs
from ..compile.route_status import refuse
from ..compile.routing import Compiled, compile_document, named_versions
from ..compile.routing_map import Wanted
from ..compile.routing_plan import RoutingInputs, RoutingMemory
from ..compile.routing_view import Routing
from ..compile.server_plan import ServerInputs
from ..compile.settings import Settings
from ..compile.statuses import readable_status
from ..compile.trainer_plan import TrainerInputs, Training
from ..compile.training import SERVICE_ACCOUNT as TRAINER
from ..compile.withdrawal import Acknowledgements
from .cache import Key, ObjectCache, key_of
from .replicas import find_replicas, staying_pods, unseen_replicas
from .routings import Routings
from .versions import judge_versions, owned_artifacts, owned_jobs


class Queries:
    """Questions about the cache."""

    def __init__(self, cache: ObjectCache, routings: Routings, settings: Settings) -> None:
        self._cache = cache
        self._routings = routings
        self._settings = settings
        # results, each kept while its inputs are the same
        self._specs: dict[Key, tuple[Object, ModelRouteSpec]] = {}
        self._compiled: dict[Key, tuple[object, Compiled]] = {}

    def model_inputs(self, model: Object, spec: LinearModelSpec, owned: OwnedObjects) -> ModelInputs:
        """All that decides about a LinearModel, given the objects that it owns."""
        namespace = key_of(model)[0]
        servers = self.acknowledgements(namespace, spec) if spec.frozen else ()
        return ModelInputs(model, spec, owned, servers, tuple(self._serving_in(namespace, spec)))

    def route_inputs(
        self, route: Object, spec: ModelRouteSpec, routing: Routing | None, refused: Cause | None, url: str
    ) -> RouteInputs:
        """All that decides about a ModelRoute. `routing`: its server's ConfigMap; what was read live belongs to that
        state of it. `refused`: why it could not be written last.
        """
        (namespace, name), server = key_of(route), spec.server_name
        entry = routing.entries.get(name) if routing else None
        compiled = self.compile(route, spec, entry)
        waits_for = [names.model_object_name(spec.model, version) for version in compiled.waits_for]
        model_server = self._cache.get(MODEL_SERVER, namespace, server)
        return RouteInputs(
            route,
            spec,
            has_server=server == names.DEFAULT_SERVER or model_server is not None,
            routing=routing.state if routing else None,
            entry=entry,
            unread=routing.unread_of(name, spec.model) if routing else None,
            last_entry=self._routings.last_entry(route),
            compiled=compiled,
            waits_for=[self._cache.get(LINEAR_MODEL, namespace, model) for model in waits_for],
            replicas=find_replicas(self._cache, namespace, server),
            wanted_replicas=self.wanted_replicas(namespace, server),
            has_grpc=model_server is not None and has_grpc(model_server),
            taken=self._routings.taken(namespace, server),
            refused=refused,
            url=url,
        )

    def routing_inputs(
        self,
        server: Object,
        routes: Mapping[str, Object],
        live: Mapping[str, Object | None],
        memory: RoutingMemory,
        now: datetime,
    ) -> RoutingInputs:
        """All that decides about a server's routing ConfigMap. `live`: routes that are not cached, as they are now."""
        namespace, name = key_of(server)
        routing = self._routings.find(namespace, name)
        return RoutingInputs(
            server,
            routing,
            orphan=None if routing else self._routings.find_orphan(namespace, name),
            is_taken=bool(self._routings.taken(namespace, name)),
            wanted=self._wanted(routes, routing.entries if routing else {}),
            routes=routes.keys(),
            live=live,
            replicas=find_replicas(self._cache, namespace, name),
            memory=memory,
            now=now,
        )

    def _wanted(self, routes: Mapping[str, Object], entries: Mapping[str, Entry]) -> dict[str, Wanted]:
        """The entries that routes compile to, without those that cannot be read: each reports that itself."""
        wanted = {}
        for name, route in routes.items():
            try:
                compiled = self.compile(route, self.route_spec(route), entries.get(name))
            except ValueError:
                continue
            wanted[name] = Wanted(compiled.entry, created_of(route), bool(compiled.missing))
        return wanted

    def server_inputs(
        self, server: Object, routes: Mapping[str, Object], written: Applied, applied: Applied, now: datetime
    ) -> ServerInputs:
        """All that decides about the status of a ModelServer, once its children are applied."""
        namespace, name = key_of(server)
        routing = self._routings.find(namespace, name)
        return ServerInputs(
            routes,
            routing=routing.state if routing else None,
            written=written,
            applied=applied,
            deployment=self._cache.typed(Deployment, namespace, names.server_name(name)),
            pods=staying_pods(self._cache, namespace, name),
            replicas=find_replicas(self._cache, namespace, name),
            now=now,
        )

    def trainer_inputs(self, namespace: str) -> TrainerInputs:
        """All that decides about the trainers of a namespace."""
        models = (
            m for m in self._cache.all(LINEAR_MODEL, namespace) if "training" in spec_of(m) and not is_deleting(m)
        )
        trainings = [Training(m, owned_jobs(self._cache, m), owned_artifacts(self._cache, m)) for m in models]
        return TrainerInputs(namespace, trainings, self._cache.get(SERVICE_ACCOUNT, namespace, TRAINER) is not None)

    def route_spec(self, route: Object) -> ModelRouteSpec:
        """The typed spec of a route. Raises FormatError."""
        key = key_of(route)
        known = self._specs.get(key)
        if known is None or known[0] is not route:
            known = self._specs[key] = (route, parse_spec(route, ModelRouteSpec))
        return known[1]

    def compile(self, route: Object, spec: ModelRouteSpec, entry: Entry | None) -> Compiled:
        """The document that a route should have, given the entry in force and what was last good.

        Every change of one route calls this for all that share its server. So the result is kept with the inputs it was
        compiled from: equal objects are nearly always the very same ones, which is seen at once.
        """
        namespace, name = key_of(route)
        before, last = self._routings.last_document(route, entry), self._routings.known_entry(route, entry)
        served = (before is None or before.current is None) and has_served(route)
        server = self._cache.get(MODEL_SERVER, namespace, spec.server_name)
        named = sorted(named_versions(spec, before))
        models = [self._cache.get(LINEAR_MODEL, namespace, names.model_object_name(spec.model, v)) for v in named]
        artifacts = [owned_artifacts(self._cache, model) if model else None for model in models]
        inputs = (spec, before, last, served, server and spec_of(server), models, artifacts)
        known = self._compiled.get((namespace, name))
        if known is None or known[0] != inputs:
            replicas = self.wanted_replicas(namespace, spec.server_name)
            versions = judge_versions(self._cache, namespace, spec.model, named)
            compiled = compile_document(name, spec, versions, before, replicas, served=served, known=last)
            known = self._compiled[namespace, name] = (inputs, compiled)
        return known[1]

    def wanted_replicas(self, namespace: str, server: str) -> int:
        """How many replicas a ModelServer is to have."""
        return self._settings.replicas(_replicas(self._cache.get(MODEL_SERVER, namespace, server)))

    def forget(self, namespace: str, route: str) -> None:
        """Drops the results for a route that is gone."""
        self._compiled.pop((namespace, route), None)
        self._specs.pop((namespace, route), None)

    def routes(self, namespace: str, server: str) -> dict[str, Object]:
        """The routes that a server answers for."""
        found = self._cache.find(MODEL_ROUTE, namespace, f"server={server}")
        taken = {name_of(route): route for route in found if not is_deleting(route)}
        return {
            name: route
            for name, route in taken.items()
            if refuse(name, server, server_exists=True, servers=self._settings.servers) is None
        }

    def acknowledgements(self, namespace: str, spec: LinearModelSpec) -> list[Acknowledgements]:
        """Of every server of the namespace, also of one that is gone and still has pods."""
        servers = {name_of(server) for server in self._cache.all(MODEL_SERVER, namespace)}
        servers |= {label_of(pod, names.LABEL_SERVER) for pod in self._cache.find(POD, namespace, "serves")}
        return [self._acknowledgements(namespace, server, spec) for server in sorted(servers)]

    def _acknowledgements(self, namespace: str, server: str, spec: LinearModelSpec) -> Acknowledgements:
        replicas = [*find_replicas(self._cache, namespace, server), *unseen_replicas(self._cache, namespace, server)]
        routing = self._routings.find(namespace, server)
        if routing is None:
            return Acknowledgements("", 0, (), replicas)
        holding = routing.holding(spec.model, spec.version)
        unread = {name: one for name, one in routing.unread.items() if one.model in ("", spec.model)}
        return Acknowledgements(routing.state.uid, routing.state.sequence, holding, replicas, unread)

    def _serving_in(self, namespace: str, spec: LinearModelSpec) -> list[str]:
        """The routes whose traffic a version takes part in."""
        servers = [name_of(server) for server in self._cache.all(MODEL_SERVER, namespace)]
        routings = [r for server in servers if (r := self._routings.find(namespace, server))]
        serving = {name for routing in routings for name in routing.serving(spec.model, spec.version)}
        unread = (name for routing in routings for name, one in routing.unread.items() if one.model == spec.model)
        return sorted(serving | {name for name in unread if self._had_traffic(namespace, name, spec.version)})

    def _had_traffic(self, namespace: str, route: str, version: str) -> bool:
        """The route's status says that the version has a share: it was written with the document in force."""
        body = self._cache.get(MODEL_ROUTE, namespace, route)
        status = readable_status(ModelRouteStatus, status_of(body)) if body else ModelRouteStatus()
        return any(share.version == version for share in status.traffic or ())


def _replicas(server: Object | None) -> int:
    """The replicas in the spec of a ModelServer; the default if it is absent or cannot be read."""
    try:
        return parse_spec(server or {}, ModelServerSpec).replicas
    except FormatError:
        return ModelServerSpec().replicas
