"""One reconcile a kind: read what is known, compile what should be, apply what differs, write the status once. The
order lives here.
"""

from collections.abc import Callable
from datetime import datetime

import msgspec

from linplane_api import names
from linplane_api.conditions import ConditionType, Reason
from linplane_api.document import Entry
from linplane_api.kinds import (
    LINEAR_MODEL,
    MODEL_ROUTE,
    MODEL_SERVER,
    Kind,
)
from linplane_api.resources import LinearModelSpec, ModelRouteSpec, ModelServerSpec, parse_spec, plain

from .affected import WorkKey
from .cluster import Cluster, ConflictError
from .compile.conditions import changed, condition, settle
from .compile.model import ModelPlan, model_status, plan_model, validated_and_ready
from .compile.objects import (
    Object,
    Settings,
    controller_uid,
    generation_of,
    is_deleting,
    meta,
    name_of,
    status_of,
    uid_of,
)
from .compile.replicas import Acknowledged, loaded_by
from .compile.route import route_conditions, route_status
from .compile.routing import Wanted, compile_map
from .compile.server import make_default_server, make_deployment, make_routing, server_conditions, server_status
from .compile.versions import judge
from .survey import Survey
from .world import World

NOBODY = Acknowledged(0, 0, "")


class Reconciler:
    """Brings the cluster to what its objects ask for. `now` is the clock, in UTC; `budget` allows or delays writes
    of routing ConfigMaps.
    """

    def __init__(
        self,
        world: World,
        cluster: Cluster,
        settings: Settings,
        *,
        now: Callable[[], datetime],
        budget: Callable[[str], float] = lambda _: 0.0,
    ) -> None:
        """`budget(key)` gives 0 to write now, or how many seconds to wait."""
        self._world = world
        self._survey = Survey(world, settings)
        self._cluster = cluster
        self._settings = settings
        self._now = now
        self._budget = budget

    async def reconcile(self, key: WorkKey) -> float | None:
        """Reconciles one key; says after how many seconds to look again."""
        kind, namespace, name = key
        if kind == LINEAR_MODEL.kind:
            return await self._model(namespace, name)
        if kind == MODEL_ROUTE.kind:
            return await self._route(namespace, name)
        return await self._server(namespace, name)

    # ---- LinearModel ----

    async def _model(self, namespace: str, name: str) -> float | None:
        model = self._world.get(LINEAR_MODEL, namespace, name)
        if model is None or is_deleting(model):
            return None
        spec = parse_spec(model, LinearModelSpec)
        around = self._survey.belongings(model, spec)
        plan = plan_model(model, spec, around, self._settings)
        try:
            plan = await self._carry_out(plan)
        except ConflictError as error:
            trained = condition(ConditionType.TRAINED, False, Reason.NAME_TAKEN, str(error))
            plan = ModelPlan(plan.verdict if plan.seal is None else judge(model, spec, ()), trained)
        wishes = [plan.trained, *validated_and_ready(plan, frozen=spec.frozen), self._survey.withdrawn(namespace, spec)]
        conditions = settle(wishes, status_of(model), generation_of(model), self._stamp())
        serving = self._survey.serving_in(namespace, spec)
        await self._write(LINEAR_MODEL, model, plain(model_status(model, plan, conditions, serving, around.jobs)))
        return None

    async def _carry_out(self, plan: ModelPlan) -> ModelPlan:
        for kind, body in plan.delete:
            await self._cluster.delete(kind, body)
        for body in plan.create:
            await self._cluster.apply(body)
        if plan.seal is not None:
            await self._cluster.replace({**plan.seal, "immutable": True}, plan.seal)
        return plan

    # ---- ModelRoute ----

    async def _route(self, namespace: str, name: str) -> float | None:
        route = self._world.get(MODEL_ROUTE, namespace, name)
        if route is None or is_deleting(route):
            return None
        spec = parse_spec(route, ModelRouteSpec)
        refusal = self._survey.refusal(namespace, name, spec)
        routing = self._survey.routing(namespace, spec.server_name) if refusal is None else None
        entry = routing.entries.get(name) if routing else None
        acknowledged, current = NOBODY, False
        accepted = (refusal.reason, refusal.message) if refusal else (Reason.ACCEPTED, "")
        if refusal is None:
            compiled = self._survey.compile(namespace, name, spec, entry)
            accepted = (compiled.reason, compiled.message)
            current = entry is not None and entry.revision == compiled.document.revision
            if routing and not current and self._survey.is_full(namespace, spec.server_name, name):
                accepted = (
                    Reason.ROUTING_FULL,
                    "the routing ConfigMap has no room for it (1 MiB); use another ModelServer",
                )
        if routing and entry:
            replicas = self._survey.replicas(namespace, spec.server_name)
            acknowledged = loaded_by(replicas, routing.state.uid, entry.sequence, name)
        wishes = route_conditions(accepted, entry, current, acknowledged)
        conditions = settle(wishes, status_of(route), generation_of(route), self._stamp())
        url = self._cluster.url_of(route) if refusal is None else ""
        await self._write(
            MODEL_ROUTE, route, plain(route_status(route, entry, conditions, acknowledged, url=url, now=self._stamp()))
        )
        return None

    # ---- ModelServer ----

    async def _server(self, namespace: str, name: str) -> float | None:
        if self._settings.servers is not None and name not in self._settings.servers:
            return None
        server = self._world.get(MODEL_SERVER, namespace, name)
        routes = self._survey.routes(namespace, name)
        if server is None:
            if routes and name == names.DEFAULT_SERVER:
                server = await self._cluster.create(make_default_server(namespace))
            else:
                return None
        if is_deleting(server):
            return None
        delay = await self._write_routing(namespace, server, routes)
        await self._cluster.apply(make_deployment(server, parse_spec(server, ModelServerSpec), self._settings))
        await self._write_server_status(namespace, server, len(routes))
        return delay

    async def _write_routing(self, namespace: str, server: Object, routes: dict[str, Object]) -> float | None:
        """Brings the routing ConfigMap up to date; says when to come again where the budget of writes is used up."""
        routing = self._survey.routing(namespace, name_of(server))
        entries = routing.entries if routing else {}
        before = routing.state if routing else None
        if routing and controller_uid(routing.body) != uid_of(server):
            raise ConflictError(f"ConfigMap {name_of(routing.body)} is not this ModelServer's")
        wanted = await self._wanted(namespace, name_of(server), routes, entries)
        after, _ = compile_map(before, entries, wanted, before.uid if before else "")
        if after == before:
            return None
        wait = self._budget(f"{namespace}/{name_of(server)}")
        if wait > 0:
            return wait
        body = make_routing(server, after.to_data())
        if routing:
            await self._cluster.replace({**routing.body, "data": body["data"]}, routing.body)
        else:
            await self._cluster.create(body)
        return None

    async def _wanted(
        self, namespace: str, server: str, routes: dict[str, Object], entries: dict[str, Entry]
    ) -> dict[str, Wanted]:
        wanted = {}
        for name, route in routes.items():
            compiled = self._survey.compile(namespace, name, parse_spec(route, ModelRouteSpec), entries.get(name))
            wanted[name] = Wanted(compiled.document, str(meta(route).get("creationTimestamp", "")))
        for name in entries.keys() - wanted.keys():
            # only what is really gone is taken away: the view may be behind
            live = await self._cluster.read(MODEL_ROUTE, namespace, name)
            if live and not is_deleting(live) and parse_spec(live, ModelRouteSpec).server_name == server:
                wanted[name] = Wanted(entries[name].document, "")
        return wanted

    async def _write_server_status(self, namespace: str, server: Object, routes: int) -> None:
        routing = self._survey.routing(namespace, name_of(server))
        acknowledged = NOBODY
        if routing:
            replicas = self._survey.replicas(namespace, name_of(server))
            acknowledged = loaded_by(replicas, routing.state.uid, routing.state.sequence)
        wishes = server_conditions(routes, acknowledged)
        conditions = settle(wishes, status_of(server), generation_of(server), self._stamp())
        sequence = routing.state.sequence if routing else 0
        await self._write(
            MODEL_SERVER, server, plain(server_status(server, conditions, routes, sequence, acknowledged))
        )

    # ---- shared ----

    async def _write(self, kind: Kind, body: Object, status: Object) -> None:
        before = status_of(body)
        if msgspec.to_builtins(status) == before:
            return
        await self._cluster.write_status(kind, body, status)
        for item in changed(before, status):
            self._cluster.event(
                body,
                warning=item["status"] == "False" and item["reason"] not in _QUIET,
                reason=item["reason"],
                message=f"{item['type']}={item['status']}: {item['message']}",
            )

    def _stamp(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%SZ")


_QUIET = {
    Reason.NOT_FROZEN,
    Reason.NOT_TRAINED,
    Reason.TRAINING,
    Reason.PENDING,
    Reason.REPLICAS_BEHIND,
    Reason.NO_REPLICAS,
    Reason.NEVER_SERVED,
}
