"""ModelRoute: its Service, and what its status says of its document and of who has loaded it."""

from linplane_api.conditions import Cause, Reason
from linplane_api.document import Entry
from linplane_api.kinds import MODEL_ROUTE
from linplane_api.resources import ModelRouteSpec, plain

from ..cluster import NameTakenError, RefusedError
from ..compile.access import make_route_service
from ..compile.conditions import settle
from ..compile.lacking import Lack, lacking_of, with_lacking
from ..compile.model import LOOK_AGAIN
from ..compile.objects import Object, generation_of, is_deleting, status_of
from ..compile.replicas import loaded_by
from ..compile.route import route_conditions, route_status, servable_of, servable_without_document
from ..compile.routing import Compiled, has_room, named_versions
from ..compile.waiting import with_progress
from ..queue import DONE, Result, earliest
from ..survey import Routing
from ..world import key_of
from .lacking import LackingEvents
from .routing import RoutingWriter
from .tools import NOBODY, Tools, cause_of

FULL = "the routing ConfigMap has no room for it (1 MiB); use another ModelServer"


class RouteReconciler:
    """Tells what became of each route. Its document is written with those of its server."""

    def __init__(self, tools: Tools, routing: RoutingWriter) -> None:
        self._world = tools.world
        self._cluster = tools.cluster
        self._stamp = tools.stamp
        self._survey = tools.survey
        self._lookout = tools.lookout
        self._statuses = tools.statuses
        self._routing = routing
        self._lacking = LackingEvents(tools.cluster, tools.now)

    async def reconcile(self, namespace: str, name: str) -> Result:
        """Reconciles one."""
        route = self._world.get(MODEL_ROUTE, namespace, name)
        if route is None or is_deleting(route):
            self._survey.forget(namespace, name)
            self._statuses.forget(MODEL_ROUTE, namespace, name)
            self._lacking.forget(namespace, name)
            return await self._statuses.write_deleting(MODEL_ROUTE, route, self._stamp())
        spec = self._survey.route_spec(route)
        await self._lookout.look_around(namespace, spec)
        refusal = self._survey.refusal(namespace, name, spec)
        routing = self._survey.routing(namespace, spec.server_name) if refusal is None else None
        entry = routing.entries.get(name) if routing else None
        if refusal is None and entry is None:
            before = self._survey.last_document(route, None)
            await self._lookout.versions(namespace, spec.model, named_versions(spec, before))
        compiled = self._survey.compile(namespace, name, spec, entry)
        acknowledged, current = NOBODY, False
        lacking: list[Lack] = []
        if refusal:
            accepted = refusal
        else:
            accepted, current = self._accept(route, spec, routing, entry, compiled)
            accepted = await self._apply_service(route, spec) or accepted
        if routing and entry:
            await self._lookout.replicas(namespace, spec.server_name, routing.state.uid, entry.sequence)
            replicas = self._survey.replicas(namespace, spec.server_name)
            acknowledged = loaded_by(replicas, routing.state.uid, entry.sequence, name)
            lacking = lacking_of(replicas, name, entry.document)
        self._lacking.tell(route, lacking)
        # without a ConfigMap the servers go on with what they hold
        shown = entry or (self._survey.last_entry(route) if refusal is None else None)
        servable = servable_of(shown.document) if shown else servable_without_document(route, refusal, compiled.missing)
        wishes = route_conditions(accepted, with_lacking(servable, lacking), entry, current, acknowledged)
        wishes = with_progress(wishes, self._survey.progress(namespace, spec, compiled, wishes[-1].reason))
        conditions = settle(wishes, status_of(route), generation_of(route), self._stamp())
        url = self._cluster.url_of(route) if refusal is None else ""
        status = route_status(route, shown, conditions, acknowledged, url=url, now=self._stamp())
        written = await self._statuses.write(MODEL_ROUTE, route, plain(status))
        waits_for_others = accepted.reason in (Reason.NAME_TAKEN, Reason.CHILD_REFUSED)
        return earliest(written, Result(LOOK_AGAIN) if waits_for_others else DONE)

    async def _apply_service(self, route: Object, spec: ModelRouteSpec) -> Cause | None:
        """What stands in the way of the route's children: all of it at once."""
        taken = self._survey.taken(key_of(route)[0], spec.server_name)
        service = make_route_service(route, spec.service)
        try:
            await (self._cluster.check(service) if taken else self._cluster.apply(service))
        except NameTakenError as error:
            return Cause(Reason.NAME_TAKEN, f"{taken}. {error}" if taken else str(error))
        except RefusedError as error:
            return cause_of(error)
        return Cause(Reason.NAME_TAKEN, taken) if taken else None

    def _accept(
        self, route: Object, spec: ModelRouteSpec, routing: Routing | None, entry: Entry | None, compiled: Compiled
    ) -> tuple[Cause, bool]:
        """Whether the spec is in effect, and whether the entry in force is what it compiles to."""
        namespace, name = key_of(route)
        if entry and entry.revision == compiled.revision:
            return compiled.cause, True
        if routing and not has_room(routing.state, name, compiled.document):
            return Cause(Reason.ROUTING_FULL, FULL), False
        if refused := self._routing.refused(namespace, spec.server_name):
            return refused, False
        if compiled.missing and entry is None:
            lost = " and ".join(compiled.missing)
            text = f"version {lost} served last and cannot be served now; the servers go on with what they hold"
            return Cause(Reason.VERSION_NOT_READY, text), False
        if compiled.cause.reason is Reason.ACCEPTED:
            return Cause(Reason.ACCEPTED, "accepted; waiting for the servers"), False
        return compiled.cause, False
