"""ModelServer: its children, the routing ConfigMap first, and what its status says of its replicas."""

from collections.abc import Callable

from linplane_api import names
from linplane_api.canonical import FormatError
from linplane_api.conditions import Cause, Reason
from linplane_api.kinds import MODEL_ROUTE, MODEL_SERVER, REPLICA_REPORT
from linplane_api.resources import ModelServerSpec, parse_spec, plain

from ..affected import WorkKey
from ..cluster import ContestedError, NameTakenError, RefusedError
from ..compile.access import make_server_access, make_server_network
from ..compile.conditions import settle
from ..compile.model import LOOK_AGAIN
from ..compile.objects import Object, generation_of, is_deleting, name_of, status_of
from ..compile.replicas import Acknowledged, loaded_by
from ..compile.server import make_default_server, make_deployment, server_conditions, server_status
from ..queue import DONE, Result, earliest
from ..statuses import COUNT_SECONDS
from .routing import RoutingWriter
from .tools import Tools, cause_of


class ServerReconciler:
    """Has each server run, with the documents of its routes."""

    def __init__(self, tools: Tools, routing: RoutingWriter, ask: Callable[[WorkKey], None]) -> None:
        """`ask` has another key reconciled soon."""
        self._world = tools.world
        self._cluster = tools.cluster
        self._settings = tools.settings
        self._now = tools.now
        self._stamp = tools.stamp
        self._survey = tools.survey
        self._lookout = tools.lookout
        self._statuses = tools.statuses
        self._routing = routing
        self._ask = ask

    async def reconcile(self, namespace: str, name: str) -> Result:
        """Reconciles one."""
        if self._settings.servers is not None and name not in self._settings.servers:
            return DONE
        server = self._world.get(MODEL_SERVER, namespace, name)
        routes = self._survey.routes(namespace, name)
        if server is None:
            if not routes or name != names.DEFAULT_SERVER:
                self._statuses.forget(MODEL_SERVER, namespace, name)
                self._survey.forget_server(namespace, name)
                self._routing.forget(namespace, name)
                return DONE
            server = await self._lookout.server(namespace, name)
            server = server or await self._cluster.create(make_default_server(namespace))
        if is_deleting(server):
            return await self._statuses.write_deleting(MODEL_SERVER, server, self._stamp())
        routed, problem = await self._carry_out(namespace, server, routes)
        written = await self._write_status(namespace, server, len(routes), problem)
        return earliest(routed, written, Result(LOOK_AGAIN) if problem else DONE)

    async def _carry_out(
        self, namespace: str, server: Object, routes: dict[str, Object]
    ) -> tuple[Result, Cause | None]:
        """When to come again, and what stands in the way."""
        result, problem = DONE, None
        taken: list[str] = []
        try:
            result = await self._routing.write(namespace, server, routes)
        except ContestedError as error:
            result = Result(error.seconds)
        except RefusedError as error:  # the replicas go on with what they have, and are looked after
            problem = cause_of(error)
        except NameTakenError as error:
            taken += error.taken
        try:
            refused = await self._apply_children(server, taken)
        except FormatError as error:
            return result, problem or Cause(Reason.INVALID_SPEC, str(error))
        if taken:
            return result, cause_of(NameTakenError(f"ModelServer {name_of(server)}", *taken))
        return result, problem or refused

    async def _apply_children(self, server: Object, taken: list[str]) -> Cause | None:
        """Adds to `taken` what is not ours: all of it is named at once. If anything is, no pod is started."""
        deployment = make_deployment(server, parse_spec(server, ModelServerSpec), self._settings)
        problem = None
        for body in (*make_server_access(server), *make_server_network(server), deployment):
            try:
                if taken:
                    await self._cluster.check(body)
                else:
                    problem = await self._refused(body) or problem
            except NameTakenError as error:
                taken += error.taken
        return problem

    async def _refused(self, body: Object) -> Cause | None:
        """Why a child is refused, which keeps none of the others from being made."""
        try:
            await self._cluster.apply(body)
        except RefusedError as error:
            return cause_of(error)
        return None

    async def _write_status(self, namespace: str, server: Object, routes: int, problem: Cause | None) -> Result:
        name = name_of(server)
        routing = self._survey.routing(namespace, name)
        rollout = self._survey.rollout(namespace, name, self._now())
        uid, sequence = (routing.state.uid, routing.state.sequence) if routing else ("", 0)
        for left in await self._lookout.left_reports(namespace, name):
            await self._cluster.delete(REPLICA_REPORT, left, unchanged=True)
        acknowledged = loaded_by(self._survey.replicas(namespace, name), uid, sequence)
        wishes = server_conditions(routes, acknowledged, rollout, problem)
        conditions = settle(wishes, status_of(server), generation_of(server), self._stamp())
        pods = len(self._survey.pods(namespace, name))
        status = server_status(server, conditions, pods=pods, routes=routes, sequence=sequence, replicas=acknowledged)
        written = await self._statuses.write(MODEL_SERVER, server, plain(status))
        return earliest(written, Result(rollout.requeue_after), self._recount(namespace, name, acknowledged))

    def _recount(self, namespace: str, server: str, acknowledged: Acknowledged) -> Result:
        """Has one route count its replicas anew, where these have become more or fewer; one a second, for they may be
        many, and nobody waits for it.
        """
        if not acknowledged.converged:
            return DONE
        route = self._survey.miscounted(namespace, server, acknowledged.summary)
        if route is None:
            return DONE
        self._ask((MODEL_ROUTE.kind, namespace, route))
        return Result(COUNT_SECONDS)
