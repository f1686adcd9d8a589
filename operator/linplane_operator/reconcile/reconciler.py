"""Brings about whatever one key names."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from linplane_api import names
from linplane_api.canonical import FormatError
from linplane_api.conditions import Reason
from linplane_api.document import Entry
from linplane_api.kinds import JOB, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, SERVICE_ACCOUNT, Kind
from linplane_api.resources import LinearModelSpec, ModelRouteSpec, ModelServerSpec, parse_spec, plain

from ..affected import WorkKey
from ..cluster import Cluster, ConflictError, NameTakenError, RefusedError
from ..compile.access import make_route_service, make_server_access, make_server_network, make_trainer_access
from ..compile.conditions import settle, unreadable
from ..compile.model import LOOK_AGAIN, ModelPlan, not_carried_out, plan_model
from ..compile.model_status import model_status, validated_and_ready
from ..compile.objects import (
    Object,
    Settings,
    generation_of,
    is_deleting,
    name_of,
    status_of,
    uid_of,
)
from ..compile.progress import seconds_to_pod
from ..compile.replicas import Acknowledged, loaded_by
from ..compile.route import route_conditions, route_status
from ..compile.routing import has_room
from ..compile.server import make_default_server, make_deployment, server_conditions, server_status
from ..compile.training import SERVICE_ACCOUNT as TRAINER
from ..compile.versions import Belongings
from ..lookout import Lookout
from ..refusals import Refusals
from ..statuses import COUNT_SECONDS, Statuses
from ..survey import Routing, Survey
from ..world import World, key_of
from .routing import RoutingWriter
from .tools import NOBODY, Tools, problem_of, sooner

FULL = "the routing ConfigMap has no room for it (1 MiB); use another ModelServer"


class Reconciler:
    """Brings the cluster to what its objects ask for."""

    def __init__(  # noqa: PLR0913 - all that it works with
        self,
        world: World,
        cluster: Cluster,
        settings: Settings,
        *,
        now: Callable[[], datetime],
        budget: Callable[[str], float] = lambda _: 0.0,
        ask: Callable[[WorkKey], None],
    ) -> None:
        """`now` is the clock, in UTC; `budget(key)` gives 0 to write a routing ConfigMap now, or how many seconds to
        wait; `ask` has another key reconciled soon.
        """
        survey = Survey(world, settings)
        tools = Tools(world, cluster, settings, now, survey, Lookout(world, survey, cluster), Statuses(cluster, now))
        self._world = world
        self._survey = survey
        self._cluster = cluster
        self._settings = settings
        self._now = now
        self._stamp = tools.stamp
        self._ask = ask
        self._statuses = tools.statuses
        self._refusals = Refusals(cluster, now)
        self._lookout = tools.lookout
        self._trainers = asyncio.Lock()
        self._routing = RoutingWriter(tools, budget)

    async def reconcile(self, key: WorkKey) -> float | None:
        """Reconciles one key; says after how many seconds to look again."""
        kind, namespace, name = key
        try:
            if kind == LINEAR_MODEL.kind:
                return await self._model(namespace, name)
            if kind == MODEL_ROUTE.kind:
                return await self._route(namespace, name)
        except FormatError as error:
            await self._tell_unreadable(
                LINEAR_MODEL if kind == LINEAR_MODEL.kind else MODEL_ROUTE, namespace, name, error
            )
            return None
        return await self._server(namespace, name)

    async def _tell_unreadable(self, kind: Kind, namespace: str, name: str, error: FormatError) -> None:
        """Of a spec that the API server took and this operator cannot read, as where one of them is older."""
        body = self._world.get(kind, namespace, name)
        if body is not None:
            status = unreadable(kind, body, str(error), self._stamp())
            await self._statuses.write(kind, body, status)

    # ---- LinearModel ----

    async def _model(self, namespace: str, name: str) -> float | None:
        model = self._world.get(LINEAR_MODEL, namespace, name)
        if model is None or is_deleting(model):
            self._statuses.forget(LINEAR_MODEL, namespace, name)
            return None
        spec = parse_spec(model, LinearModelSpec)
        around = await self._with_refusal(await self._lookout.around(model, spec))
        plan = plan_model(model, spec, around, self._settings, self._now())
        try:
            await self._carry_out(model, plan)
        except (NameTakenError, RefusedError) as error:
            plan = not_carried_out(*problem_of(error))
        wishes = [plan.trained, *validated_and_ready(plan, frozen=spec.frozen), self._survey.withdrawn(model, spec)]
        conditions = settle(wishes, status_of(model), generation_of(model), self._stamp())
        serving = self._survey.serving_in(namespace, spec)
        wait = await self._statuses.write(LINEAR_MODEL, model, plain(model_status(model, plan, conditions, serving)))
        return sooner(wait, plan.again)

    async def _with_refusal(self, around: Belongings) -> Belongings:
        """Asks why where a Job has had no pod for a while."""
        for job in around.jobs:
            left = seconds_to_pod(job, around.pods, self._now())
            if left is not None and left <= 0 and (refusal := await self._refusals.of(job)):
                return replace(around, refusal=refusal)
        return around

    async def _carry_out(self, model: Object, plan: ModelPlan) -> None:
        if plan.delete:  # only by what is asked for now: the view may be behind
            live = await self._cluster.read(LINEAR_MODEL, *key_of(model))
            if live is None or uid_of(live) != uid_of(model) or generation_of(live) != generation_of(model):
                raise ConflictError(f"LinearModel {name_of(model)} has changed meanwhile")
        for kind, body in plan.delete:
            await self._cluster.delete(kind, body)
        for body in plan.create:
            if body["kind"] == JOB.kind:
                await self._let_trainers(key_of(model)[0])
            await self._cluster.apply(body)
        if plan.seal is not None:
            await self._cluster.replace({**plan.seal, "immutable": True}, plan.seal)
            await self._let_trainers(key_of(model)[0])

    async def patrol(self) -> None:
        """Brings back what trainings need and nobody tells about, and takes away what none needs any more: a crash may
        have come between. Call it at the start, and now and then.
        """
        for namespace in sorted(self._world.namespaces((LINEAR_MODEL,))):
            models, waited = self._survey.trainings(namespace)
            if waited or (models and self._world.get(SERVICE_ACCOUNT, namespace, TRAINER)):
                await self._let_trainers(namespace)

    async def _let_trainers(self, namespace: str) -> None:
        """Gives trainers the right to the results that are waited for, and to no other; one after the other, so that
        none takes away what another was just given.
        """
        async with self._trainers:
            for body in make_trainer_access(namespace, *self._survey.trainings(namespace)):
                await self._cluster.apply(body)

    # ---- ModelRoute ----

    async def _route(self, namespace: str, name: str) -> float | None:
        route = self._world.get(MODEL_ROUTE, namespace, name)
        if route is None or is_deleting(route):
            self._survey.forget(namespace, name)
            self._statuses.forget(MODEL_ROUTE, namespace, name)
            return None
        spec = parse_spec(route, ModelRouteSpec)
        await self._lookout.look_around(namespace, spec)
        refusal = self._survey.refusal(namespace, name, spec)
        routing = self._survey.routing(namespace, spec.server_name) if refusal is None else None
        entry = routing.entries.get(name) if routing else None
        acknowledged, current = NOBODY, False
        if refusal:
            accepted = (refusal.reason, refusal.message)
        else:
            accepted, current = self._accept(namespace, name, spec, routing, entry)
            accepted = await self._apply_service(route, spec) or accepted
        if routing and entry:
            replicas = self._survey.replicas(namespace, spec.server_name)
            acknowledged = loaded_by(replicas, routing.state.uid, entry.sequence, name)
        wishes = route_conditions(accepted, entry, current, acknowledged)
        conditions = settle(wishes, status_of(route), generation_of(route), self._stamp())
        url = self._cluster.url_of(route) if refusal is None else ""
        status = route_status(route, entry, conditions, acknowledged, url=url, now=self._stamp())
        wait = await self._statuses.write(MODEL_ROUTE, route, plain(status))
        return sooner(wait, LOOK_AGAIN if accepted[0] in (Reason.NAME_TAKEN, Reason.CHILD_REFUSED) else None)

    async def _apply_service(self, route: Object, spec: ModelRouteSpec) -> tuple[Reason, str] | None:
        """What stands in the way of the route's children."""
        if taken := self._survey.taken(key_of(route)[0], spec.server_name):
            return Reason.NAME_TAKEN, taken
        try:
            await self._cluster.apply(make_route_service(route))
        except (NameTakenError, RefusedError) as error:
            return problem_of(error)
        return None

    def _accept(
        self, namespace: str, name: str, spec: ModelRouteSpec, routing: Routing | None, entry: Entry | None
    ) -> tuple[tuple[Reason, str], bool]:
        """Whether the spec is in effect, and whether the entry in force is what it compiles to."""
        compiled = self._survey.compile(namespace, name, spec, entry)
        if entry and entry.revision == compiled.revision:
            return (compiled.reason, compiled.message), True
        if routing and not has_room(routing.state, name, compiled.document):
            return (Reason.ROUTING_FULL, FULL), False
        return (compiled.reason, compiled.message), False

    # ---- ModelServer ----

    async def _server(self, namespace: str, name: str) -> float | None:
        if self._settings.servers is not None and name not in self._settings.servers:
            return None
        server = self._world.get(MODEL_SERVER, namespace, name)
        routes = self._survey.routes(namespace, name)
        if server is None:
            if not routes or name != names.DEFAULT_SERVER:
                self._statuses.forget(MODEL_SERVER, namespace, name)
                return None
            server = await self._lookout.server(namespace, name)
            server = server or await self._cluster.create(make_default_server(namespace))
        if is_deleting(server):
            return None
        wait, problem = None, None
        try:
            wait = await self._routing.write(namespace, server, routes)
            for body in (*make_server_access(server), *make_server_network(server)):
                problem = await self._refused(body) or problem
            deployment = make_deployment(server, parse_spec(server, ModelServerSpec), self._settings)
            problem = await self._refused(deployment) or problem
        except (NameTakenError, RefusedError) as error:
            problem = problem_of(error)
        except FormatError as error:
            problem = (Reason.INVALID_SPEC, str(error))
        later = await self._write_server_status(namespace, server, len(routes), problem)
        return sooner(wait, later, LOOK_AGAIN if problem else None)

    async def _refused(self, body: Object) -> tuple[Reason, str] | None:
        """Why a child is refused, which keeps none of the others from being made."""
        try:
            await self._cluster.apply(body)
        except RefusedError as error:
            return problem_of(error)
        return None

    async def _write_server_status(
        self, namespace: str, server: Object, routes: int, problem: tuple[Reason, str] | None
    ) -> float | None:
        name = name_of(server)
        routing = self._survey.routing(namespace, name)
        acknowledged, sequence = NOBODY, 0
        if routing:
            sequence = routing.state.sequence
            acknowledged = loaded_by(self._survey.replicas(namespace, name), routing.state.uid, sequence)
        wishes = server_conditions(routes, acknowledged, problem)
        conditions = settle(wishes, status_of(server), generation_of(server), self._stamp())
        pods = len(self._survey.pods(namespace, name))
        status = server_status(server, conditions, pods=pods, routes=routes, sequence=sequence, replicas=acknowledged)
        wait = await self._statuses.write(MODEL_SERVER, server, plain(status))
        return sooner(wait, self._recount(namespace, name, acknowledged))

    def _recount(self, namespace: str, server: str, acknowledged: Acknowledged) -> float | None:
        """Has one route count its replicas anew, where these have become more or fewer; one a second, for they may be
        many, and nobody waits for it.
        """
        if not acknowledged.converged:
            return None
        route = self._survey.miscounted(namespace, server, acknowledged.summary)
        if route is None:
            return None
        self._ask((MODEL_ROUTE.kind, namespace, route))
        return COUNT_SECONDS
