"""Brings about whatever one key names."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

from linplane_api import names
from linplane_api.canonical import FormatError
from linplane_api.conditions import Reason
from linplane_api.document import Entry, RouteDocument
from linplane_api.kinds import CONFIG_MAP, JOB, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, SERVICE_ACCOUNT, Kind
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
    controller_uid,
    generation_of,
    is_deleting,
    meta,
    name_of,
    server_of,
    status_of,
    uid_of,
)
from ..compile.progress import seconds_to_pod
from ..compile.replicas import Acknowledged, loaded_by
from ..compile.route import route_conditions, route_status
from ..compile.routing import Wanted, compile_map, has_room
from ..compile.server import make_default_server, make_deployment, make_routing, server_conditions, server_status
from ..compile.training import SERVICE_ACCOUNT as TRAINER
from ..compile.versions import Belongings
from ..lookout import Lookout
from ..refusals import Refusals
from ..statuses import COUNT_SECONDS, Statuses
from ..survey import Routing, Survey
from ..world import World, key_of

NOBODY = Acknowledged(0, 0, "")
CONFIRMED = 20
"""Of up to so many changed documents at a time the routes are looked at live, too, before they are written; their
versions always are, so many at once.
"""
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
        self._world = world
        self._survey = Survey(world, settings)
        self._cluster = cluster
        self._settings = settings
        self._now = now
        self._budget = budget
        self._ask = ask
        self._statuses = Statuses(cluster, now)
        self._refusals = Refusals(cluster, now)
        self._lookout = Lookout(world, self._survey, cluster)
        self._trainers = asyncio.Lock()

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
            plan = not_carried_out(*_problem(error))
        wishes = [plan.trained, *validated_and_ready(plan, frozen=spec.frozen), self._survey.withdrawn(model, spec)]
        conditions = settle(wishes, status_of(model), generation_of(model), self._stamp())
        serving = self._survey.serving_in(namespace, spec)
        wait = await self._statuses.write(LINEAR_MODEL, model, plain(model_status(model, plan, conditions, serving)))
        return _sooner(wait, plan.again)

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
        return _sooner(wait, LOOK_AGAIN if accepted[0] in (Reason.NAME_TAKEN, Reason.CHILD_REFUSED) else None)

    async def _apply_service(self, route: Object, spec: ModelRouteSpec) -> tuple[Reason, str] | None:
        """What stands in the way of the route's children."""
        if taken := self._survey.taken(key_of(route)[0], spec.server_name):
            return Reason.NAME_TAKEN, taken
        try:
            await self._cluster.apply(make_route_service(route))
        except (NameTakenError, RefusedError) as error:
            return _problem(error)
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
            wait = await self._write_routing(namespace, server, routes)
            for body in (*make_server_access(server), *make_server_network(server)):
                problem = await self._refused(body) or problem
            deployment = make_deployment(server, parse_spec(server, ModelServerSpec), self._settings)
            problem = await self._refused(deployment) or problem
        except (NameTakenError, RefusedError) as error:
            problem = _problem(error)
        except FormatError as error:
            problem = (Reason.INVALID_SPEC, str(error))
        later = await self._write_server_status(namespace, server, len(routes), problem)
        return _sooner(wait, later, LOOK_AGAIN if problem else None)

    async def _refused(self, body: Object) -> tuple[Reason, str] | None:
        """Why a child is refused, which keeps none of the others from being made."""
        try:
            await self._cluster.apply(body)
        except RefusedError as error:
            return _problem(error)
        return None

    async def _write_routing(self, namespace: str, server: Object, routes: dict[str, Object]) -> float | None:
        """Brings the routing ConfigMap up to date; says when to come again where the budget of writes is used up."""
        name = name_of(server)
        routing = self._survey.routing(namespace, name)
        before, entries = (routing.state, routing.entries) if routing else (None, {})
        wanted = self._wanted(namespace, routes, entries)
        kept = await self._kept(namespace, name, routing, wanted)
        # nobody may have confirmed the next sequence already, whatever was done to the ConfigMap
        reports = [replica.report for replica in self._survey.replicas(namespace, name) if replica.report]
        floor = max((r.sequence for r in reports if before and r.config_map_uid == before.uid), default=0)
        data = compile_map(before, entries, wanted, kept=kept, floor=floor)[0].to_data()
        if routing and data == routing.body.get("data"):
            return None
        await self._confirm(namespace, wanted, entries)
        wait = self._budget(f"{namespace}/{name}")
        if wait > 0:
            return wait
        if routing:
            await self._cluster.replace({**routing.body, "data": data}, routing.body)
        else:
            await self._create(make_routing(server, data), server)
        return None

    async def _confirm(self, namespace: str, wanted: dict[str, Wanted], entries: dict[str, Entry]) -> None:
        """Raises ConflictError where a view is behind what a changed document is made of: it would take back what
        another operator, or the one before this, has brought about and confirmed.
        """
        changed = [n for n, want in wanted.items() if n not in entries or entries[n].revision != want.revision]
        documents = [wanted[n].document for n in changed]
        inputs = {(LINEAR_MODEL, names.model_object_name(d.model, v)) for d in documents for v in _named(d)}
        if len(changed) <= CONFIRMED:  # more: a start, or a new release, and each route's own
            inputs |= {(MODEL_ROUTE, n) for n in changed}
        seen = {(kind, n): self._world.get(kind, namespace, n) for kind, n in sorted(inputs, key=str)}
        for some in _parts(list(seen), CONFIRMED):
            live = await asyncio.gather(*(self._cluster.read(kind, namespace, n) for kind, n in some))
            for (kind, n), now in zip(some, live, strict=True):
                if _edition(seen[kind, n]) != _edition(now):
                    raise ConflictError(f"{kind.kind} {n} has changed meanwhile")

    async def _create(self, body: Object, server: Object) -> None:
        try:
            await self._cluster.create(body)
        except ConflictError as error:  # somebody's, or the view is behind
            live = await self._cluster.read(CONFIG_MAP, *key_of(body))
            if live is None or controller_uid(live) == uid_of(server):
                raise
            raise NameTakenError(f"ConfigMap {name_of(body)} exists and is not ours") from error

    def _wanted(self, namespace: str, routes: dict[str, Object], entries: dict[str, Entry]) -> dict[str, Wanted]:
        wanted = {}
        for name, route in routes.items():
            try:
                spec = parse_spec(route, ModelRouteSpec)
                compiled = self._survey.compile(namespace, name, spec, entries.get(name))
            except ValueError:  # told by its own reconcile; it must not keep the others from theirs
                continue
            created = str(meta(route).get("creationTimestamp", ""))
            wanted[name] = Wanted(compiled.document, compiled.revision, created)
        return wanted

    async def _kept(self, namespace: str, server: str, routing: Routing | None, wanted: dict[str, Wanted]) -> set[str]:
        """The entries that stay although nobody is known to want them: only what is really gone is taken away."""
        kept = set()
        for name in sorted(routing.state.routes.keys() - wanted.keys()) if routing else ():
            live = await self._cluster.read(MODEL_ROUTE, namespace, name)
            if live and not is_deleting(live) and server_of(live) == server:
                kept.add(name)
        return kept

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
        return _sooner(wait, self._recount(namespace, name, acknowledged))

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

    def _stamp(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%SZ")


def _named(document: RouteDocument) -> set[str]:
    """The versions it goes by: also one that it leaves out, for being frozen or gone."""
    given = (document.current, document.previous, *(candidate.version for candidate in document.split))
    return {version for version in given if version}


def _parts(items: list[tuple[Kind, str]], size: int) -> Iterator[list[tuple[Kind, str]]]:
    return (items[at : at + size] for at in range(0, len(items), size))


def _edition(body: Object | None) -> tuple[str, int, bool] | None:
    """What of an object a document goes by, but for its status."""
    return None if body is None else (uid_of(body), generation_of(body), is_deleting(body))


def _problem(error: NameTakenError | RefusedError) -> tuple[Reason, str]:
    """Why a child is not as it should be."""
    return (Reason.NAME_TAKEN if isinstance(error, NameTakenError) else Reason.CHILD_REFUSED), str(error)


def _sooner(*waits: float | None) -> float | None:
    return min((wait for wait in waits if wait is not None), default=None)
