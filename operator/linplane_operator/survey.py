"""What the reconcilers need to know, read from the world and put together: no I/O, no clock, nothing is changed."""

from dataclasses import dataclass
from functools import lru_cache

from linplane_api import names
from linplane_api.canonical import FormatError
from linplane_api.conditions import Condition, ConditionType, Reason
from linplane_api.document import Entry, RoutingMap, parse_entry, routing_map
from linplane_api.kinds import CONFIG_MAP, JOB, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, POD, REPLICA_REPORT
from linplane_api.resources import LinearModelSpec, ModelRouteSpec, ModelServerSpec, parse_spec

from .compile.conditions import condition
from .compile.model import belongs
from .compile.objects import Object, Settings, is_deleting, meta, name_of, uid_of
from .compile.replicas import Replica, loaded_by, make_replicas
from .compile.route import Refusal, refuse
from .compile.routing import Compiled, Wanted, compile_document, compile_map
from .compile.versions import Belongings, Version, judge
from .world import World


@dataclass(frozen=True)
class Routing:
    """A routing ConfigMap as it was last seen, with its entries parsed; damaged ones are left out."""

    body: Object
    state: RoutingMap
    entries: dict[str, Entry]


@lru_cache(maxsize=8192)
def _entry(text: str) -> Entry | None:
    try:
        return parse_entry(text)
    except FormatError:
        return None


class Survey:
    """Questions about the world."""

    def __init__(self, world: World, settings: Settings) -> None:
        self._world = world
        self._settings = settings

    def routing(self, namespace: str, server: str) -> Routing | None:
        """The routing ConfigMap of a server, None where there is none."""
        body = self._world.get(CONFIG_MAP, namespace, names.routing_name(server))
        if body is None:
            return None
        try:
            state = routing_map(uid_of(body), body.get("data") or {})
        except FormatError:  # somebody's edit: written anew, one above nothing known
            state = RoutingMap(uid_of(body), 0, {})
        entries = {name: entry for name, text in state.routes.items() if (entry := _entry(text))}
        return Routing(body, state, entries)

    def replicas(self, namespace: str, server: str) -> list[Replica]:
        """The server's pods with the reports that are their own."""
        pods = self._world.find(POD, namespace, f"server={server}")
        reports = [self._world.get(REPLICA_REPORT, namespace, name_of(pod)) for pod in pods]
        return make_replicas(pods, [report for report in reports if report is not None])

    def belongings(self, model: Object, spec: LinearModelSpec) -> Belongings:
        """What exists around one LinearModel."""
        namespace, owner = meta(model).get("namespace", "default"), f"owner={uid_of(model)}"
        jobs = belongs(model, self._world.find(JOB, namespace, owner))
        ref = spec.weights.config_map_key_ref if spec.weights else None
        if spec.training:
            ref = spec.training.data.config_map_key_ref
        pods = [pod for job in jobs for pod in self._world.find(POD, namespace, f"job={name_of(job)}")]
        return Belongings(
            artifacts=belongs(model, self._world.find(CONFIG_MAP, namespace, owner)),
            jobs=jobs,
            pods=pods,
            source=self._world.get(CONFIG_MAP, namespace, ref.name) if ref else None,
        )

    def versions(self, namespace: str, model: str) -> dict[str, Version]:
        """Every version of a model, judged."""
        result = {}
        for body in self._world.find(LINEAR_MODEL, namespace, f"model={model}"):
            spec = parse_spec(body, LinearModelSpec)
            artifacts = self._world.find(CONFIG_MAP, namespace, f"owner={uid_of(body)}")
            result[spec.version] = Version(spec.version, spec.frozen, judge(body, spec, artifacts))
        return result

    def compile(self, namespace: str, name: str, spec: ModelRouteSpec, entry: Entry | None) -> Compiled:
        """The document that a route should have, given the entry in force."""
        server = self._world.get(MODEL_SERVER, namespace, spec.server_name)
        asked = parse_spec(server or {}, ModelServerSpec).replicas
        before = entry.document if entry else None
        versions = self.versions(namespace, spec.model)
        return compile_document(name, spec, versions, before, self._settings.replicas(asked))

    def refusal(self, namespace: str, name: str, spec: ModelRouteSpec) -> Refusal | None:
        """Why a route as a whole is not taken, None where it is."""
        server = self._world.get(MODEL_SERVER, namespace, spec.server_name)
        exists = server is not None or spec.server_name == names.DEFAULT_SERVER
        return refuse(name, spec.server_name, server_exists=exists, servers=self._settings.servers)

    def routes(self, namespace: str, server: str) -> dict[str, Object]:
        """The routes that a server answers for."""
        found = self._world.find(MODEL_ROUTE, namespace, f"server={server}")
        taken = {name_of(route): route for route in found if not is_deleting(route)}
        return {
            name: route
            for name, route in taken.items()
            if refuse(name, server, server_exists=True, servers=self._settings.servers) is None
        }

    def is_full(self, namespace: str, server: str, route: str) -> bool:
        """A route's document found no room in the routing ConfigMap."""
        routing = self.routing(namespace, server)
        if routing is None:
            return False
        wanted = {}
        for name, body in self.routes(namespace, server).items():
            compiled = self.compile(namespace, name, parse_spec(body, ModelRouteSpec), routing.entries.get(name))
            wanted[name] = Wanted(compiled.document, str(meta(body).get("creationTimestamp", "")))
        return route in compile_map(routing.state, routing.entries, wanted, routing.state.uid)[1]

    def withdrawn(self, namespace: str, spec: LinearModelSpec) -> Condition:
        """Whether a frozen version can still answer anywhere."""
        kind = ConditionType.WITHDRAWN
        if not spec.frozen:
            return condition(kind, False, Reason.NOT_FROZEN, "the version is not frozen")
        for server in self._world.all(MODEL_SERVER, namespace):
            routing = self.routing(namespace, name_of(server))
            if routing is None:
                continue
            for entry in routing.entries.values():
                if entry.document.model == spec.model and spec.version in entry.document.versions:
                    text = f"route {entry.document.route} still has it in its document"
                    return condition(kind, False, Reason.REPLICAS_BEHIND, text)
            replicas = self.replicas(namespace, name_of(server))
            confirmed = loaded_by(replicas, routing.state.uid, routing.state.sequence, terminating=True)
            if confirmed.problem:
                return condition(kind, False, Reason.REPLICAS_BEHIND, confirmed.problem)
        return condition(kind, True, Reason.FROZEN, "frozen, and no replica can answer with it")

    def serving_in(self, namespace: str, spec: LinearModelSpec) -> list[str]:
        """The routes whose traffic a version takes part in."""
        result = []
        for route in self._world.find(MODEL_ROUTE, namespace, f"model={spec.model}"):
            routing = self.routing(namespace, parse_spec(route, ModelRouteSpec).server_name)
            entry = routing.entries.get(name_of(route)) if routing else None
            if entry and any(v == spec.version and v in entry.document.versions for v, _ in entry.document.traffic()):
                result.append(name_of(route))
        return result
