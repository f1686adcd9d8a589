"""Queries on the cache that gather the inputs of plans. No I/O, no clock, no decisions."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from linplane_api import names
from linplane_api.canonical import FormatError
from linplane_api.conditions import Cause
from linplane_api.kinds import (
    CONFIG_MAP,
    LINEAR_MODEL,
    MODEL_ROUTE,
    MODEL_SERVER,
    POD,
    SERVICE_ACCOUNT,
)
from linplane_api.resources import LinearModelSpec, ModelRouteSpec, ModelRouteStatus, ModelServerSpec, parse_spec
from linplane_api.routing import Entry, RouteDocument

from ..compile.acknowledgements import Replica, is_ready, make_replicas, unseen_replica
from ..compile.adoption import is_orphan
from ..compile.artifacts import OwnedObjects, Version, judge, sealed_artifacts
from ..compile.last_good import digests_of_status, document_of_status, has_served, proven, without_weights
from ..compile.model_plan import ModelInputs
from ..compile.objects import (
    Object,
    created_of,
    is_deleting,
    label_of,
    name_of,
    namespace_of,
    server_of,
    spec_of,
    status_of,
    uid_of,
)
from ..compile.observed import ConfigMap, Deployment, Job, Pod, ReplicaReport
from ..compile.outcome import Applied
from ..compile.route_plan import RouteInputs
from ..compile.route_status import refuse
from ..compile.routing import Compiled, compile_document, named_versions
from ..compile.routing_map import Wanted
from ..compile.routing_plan import RoutingInputs, RoutingMemory
from ..compile.routing_view import Routing, read_routing
from ..compile.server import make_routing
from ..compile.server_plan import ServerInputs
from ..compile.settings import Settings
from ..compile.statuses import readable_status
from ..compile.trainer_plan import TrainerInputs, Training
from ..compile.training import SERVICE_ACCOUNT as TRAINER
from ..compile.withdrawal import Acknowledgements
from .cache import Key, ObjectCache, key_of
from .last_good import LastGood


class Queries:
    """Questions about the cache."""

    def __init__(self, cache: ObjectCache, settings: Settings) -> None:
        self._cache = cache
        self._settings = settings
        # results, each kept while its inputs are the same
        self._routings: dict[Key, Routing] = {}
        self._orphans: dict[Key, Routing] = {}
        self._last_good = LastGood(cache)
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
        has_server = server == names.DEFAULT_SERVER or self._cache.get(MODEL_SERVER, namespace, server) is not None
        return RouteInputs(
            route,
            spec,
            has_server=has_server,
            routing=routing.state if routing else None,
            entry=entry,
            unread=routing.unread_of(name, spec.model) if routing else None,
            last_entry=self._last_good.of(route),
            compiled=compiled,
            waits_for=[self._cache.get(LINEAR_MODEL, namespace, model) for model in waits_for],
            replicas=self.replicas(namespace, server),
            wanted_replicas=self.wanted_replicas(namespace, server),
            taken=self.taken(namespace, server),
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
        routing = self.routing(namespace, name)
        return RoutingInputs(
            server,
            routing,
            orphan=None if routing else self.orphan(namespace, name),
            is_taken=bool(self.taken(namespace, name)),
            wanted=self._wanted(routes, routing.entries if routing else {}),
            routes=routes.keys(),
            live=live,
            replicas=self.replicas(namespace, name),
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

    def unknown_routes(self, namespace: str, server: str, routes: Mapping[str, Object]) -> list[str]:
        """The routes that have an entry in a server's routing ConfigMap and are not among its `routes`."""
        routing = self.routing(namespace, server)
        return sorted(routing.state.routes.keys() - routes.keys()) if routing else []

    def server_inputs(
        self, server: Object, routes: Mapping[str, Object], written: Applied, applied: Applied, now: datetime
    ) -> ServerInputs:
        """All that decides about the status of a ModelServer, once its children are applied."""
        namespace, name = key_of(server)
        routing = self.routing(namespace, name)
        return ServerInputs(
            routes,
            routing=routing.state if routing else None,
            written=written,
            applied=applied,
            deployment=self._cache.typed(Deployment, namespace, names.server_name(name)),
            pods=self._pods(namespace, name),
            replicas=self.replicas(namespace, name),
            now=now,
        )

    def routing(self, namespace: str, server: str) -> Routing | None:
        """The routing ConfigMap of a server, None if it has none of its own."""
        key = (namespace, server)
        body = self._cache.typed(ConfigMap, namespace, names.routing_name(server))
        owner = self._cache.get(MODEL_SERVER, namespace, server)
        if body is None or owner is None or body.controller_uid != uid_of(owner):
            self._routings.pop(key, None)
            return None
        known = self._routings.get(key)
        if known is None or known.config_map is not body:
            known = self._routings[key] = read_routing(body, known)
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

    def orphan(self, namespace: str, server: str) -> Routing | None:
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

    def _stored_document(self, route: Object) -> RouteDocument | None:
        """The document of a route in an orphaned ConfigMap, else that of the route's status. Without weights: these are
        taken from versions that are Ready with the digest that is given there.
        """
        namespace, name = key_of(route)
        orphan = self.orphan(namespace, server_of(route))
        if orphan and name in orphan.state.routes:  # also if the entry can't be read: the status is of no other traffic
            document = orphan.entries[name].document if name in orphan.entries else None
            digests = {version: served.digest for version, served in document.versions.items()} if document else {}
        else:
            document, digests = document_of_status(route), digests_of_status(route)
        if document is None:
            return None
        return proven(without_weights(document), digests, self.versions(namespace, document.model, digests))

    def _pods(self, namespace: str, server: str) -> list[Pod]:
        """The server's pods that are there to stay."""
        return [pod for pod in self._cache.find_typed(Pod, namespace, f"server={server}") if not pod.is_deleting]

    def replicas(self, namespace: str, server: str) -> list[Replica]:
        """The server's pods with the reports that are their own."""
        pods = self._cache.find_typed(Pod, namespace, f"server={server}")
        reports = [self._cache.typed(ReplicaReport, namespace, pod.name) for pod in pods]
        return make_replicas(pods, [report for report in reports if report is not None])

    def unseen(self, namespace: str, server: str) -> list[Replica]:
        """The replicas that have a report and no pod: this goes with its pod, so the view of one of them is behind."""
        reports = self._cache.find_typed(ReplicaReport, namespace, f"server={server}")
        return [unseen_replica(one) for one in reports if self._cache.typed(Pod, namespace, one.name) is None]

    def unready(self, namespace: str, server: str) -> list[Replica]:
        """The replicas that have a report, and no pod that is ready in this view."""
        reports = self._cache.find_typed(ReplicaReport, namespace, f"server={server}")
        return [unseen_replica(one) for one in reports if not is_ready(self._cache.typed(Pod, namespace, one.name))]

    def owned_objects(self, model: Object, spec: LinearModelSpec) -> OwnedObjects:
        """The objects that belong to one LinearModel."""
        namespace, owner = namespace_of(model), f"owner={uid_of(model)}"
        jobs = self._cache.find_typed(Job, namespace, owner)
        ref = spec.source_ref
        pods = [(job, pod) for job in jobs for pod in self._cache.find_typed(Pod, namespace, f"job={job.name}")]
        return OwnedObjects(
            artifacts=self._cache.find_typed(ConfigMap, namespace, owner),
            jobs=jobs,
            pods=[pod for job, pod in pods if pod.controller_uid == job.uid],
            source=self._cache.typed(ConfigMap, namespace, ref.name) if ref else None,
        )

    def trainer_inputs(self, namespace: str) -> TrainerInputs:
        """All that decides about the trainers of a namespace."""
        models = (
            m for m in self._cache.all(LINEAR_MODEL, namespace) if "training" in spec_of(m) and not is_deleting(m)
        )
        trainings = [self._training(namespace, model) for model in models]
        return TrainerInputs(namespace, trainings, self._cache.get(SERVICE_ACCOUNT, namespace, TRAINER) is not None)

    def _training(self, namespace: str, model: Object) -> Training:
        owner = f"owner={uid_of(model)}"
        jobs = self._cache.find_typed(Job, namespace, owner)
        return Training(model, jobs, self._cache.find_typed(ConfigMap, namespace, owner))

    def versions(self, namespace: str, model: str, wanted: Iterable[str]) -> dict[str, Version]:
        """Versions of a model, judged. One that cannot be read is as one that is not there."""
        result = {}
        for version in wanted:
            body = self._cache.get(LINEAR_MODEL, namespace, names.model_object_name(model, version))
            if body is not None and (judged := self._judged(namespace, body)):
                result[version] = judged
        return result

    def _judged(self, namespace: str, body: Object) -> Version | None:
        try:
            spec = parse_spec(body, LinearModelSpec)
        except FormatError:
            return None
        return Version(spec.version, spec.frozen, judge(body, spec, self._artifacts(namespace, body)))

    def has_sealed_artifact(self, model: Object) -> bool:
        """Nothing that the cache may lack could change what is known of the version."""
        return bool(sealed_artifacts(model, self._artifacts(namespace_of(model), model)))

    def _artifacts(self, namespace: str, model: Object) -> list[ConfigMap]:
        return self._cache.find_typed(ConfigMap, namespace, f"owner={uid_of(model)}")

    def route_spec(self, route: Object) -> ModelRouteSpec:
        """The typed spec of a route. Raises FormatError."""
        key = key_of(route)
        known = self._specs.get(key)
        if known is None or known[0] is not route:
            known = self._specs[key] = (route, parse_spec(route, ModelRouteSpec))
        return known[1]

    def last_document(self, route: Object, entry: Entry | None) -> RouteDocument | None:
        """The last good document: that of the entry in force, else the one seen last, else that of an orphaned
        ConfigMap, else that of the route's status.
        """
        if last := entry or self._last_good.of(route):
            return last.document
        return self._stored_document(route)

    def _known_entry(self, route: Object, entry: Entry | None) -> Entry | None:
        """The entry from which fields of a later release are copied: the one in force, else the one seen last, else
        that of a ConfigMap that has lost its owner.
        """
        if entry:
            return entry
        orphan = self.orphan(key_of(route)[0], server_of(route))
        return self._last_good.of(route) or (orphan.entries.get(name_of(route)) if orphan else None)

    def compile(self, route: Object, spec: ModelRouteSpec, entry: Entry | None) -> Compiled:
        """The document that a route should have, given the entry in force and what was last good.

        Every change of one route calls this for all that share its server. So the result is kept with the inputs it was
        compiled from: equal objects are nearly always the very same ones, which is seen at once.
        """
        namespace, name = key_of(route)
        before, last = self.last_document(route, entry), self._known_entry(route, entry)
        served = (before is None or before.current is None) and has_served(route)
        server = self._cache.get(MODEL_SERVER, namespace, spec.server_name)
        named = sorted(named_versions(spec, before))
        models = [self._cache.get(LINEAR_MODEL, namespace, names.model_object_name(spec.model, v)) for v in named]
        artifacts = [self._artifacts(namespace, model) if model else None for model in models]
        inputs = (spec, before, last, served, server and spec_of(server), models, artifacts)
        known = self._compiled.get((namespace, name))
        if known is None or known[0] != inputs:
            replicas = self.wanted_replicas(namespace, spec.server_name)
            versions = self.versions(namespace, spec.model, named)
            compiled = compile_document(name, spec, versions, before, replicas, served=served, known=last)
            known = self._compiled[namespace, name] = (inputs, compiled)
        return known[1]

    def wanted_replicas(self, namespace: str, server: str) -> int:
        """How many replicas a ModelServer is to have."""
        return self._settings.replicas(_replicas(self._cache.get(MODEL_SERVER, namespace, server)))

    def forget(self, namespace: str, route: str) -> None:
        """Drops the state of a route that is gone."""
        self._compiled.pop((namespace, route), None)
        self._specs.pop((namespace, route), None)
        self._last_good.forget(namespace, route)

    def forget_server(self, namespace: str, server: str) -> None:
        """Drops the state of a ModelServer that is gone."""
        self._routings.pop((namespace, server), None)
        self._orphans.pop((namespace, server), None)

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
        replicas = [*self.replicas(namespace, server), *self.unseen(namespace, server)]
        routing = self.routing(namespace, server)
        if routing is None:
            return Acknowledgements("", 0, (), replicas)
        holding = routing.holding(spec.model, spec.version)
        unread = {name: one for name, one in routing.unread.items() if one.model in ("", spec.model)}
        return Acknowledgements(routing.state.uid, routing.state.sequence, holding, replicas, unread)

    def _serving_in(self, namespace: str, spec: LinearModelSpec) -> list[str]:
        """The routes whose traffic a version takes part in."""
        servers = [name_of(server) for server in self._cache.all(MODEL_SERVER, namespace)]
        routings = [r for server in servers if (r := self.routing(namespace, server))]
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
