"""ModelServer: its children, the routing ConfigMap first, and what its status says of its replicas."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from linplane_api import names
from linplane_api.kinds import DEPLOYMENT, MODEL_ROUTE, MODEL_SERVER, REPLICA_REPORT

from ..cluster_client import NameTakenError, RefusedError
from ..compile.objects import Object, is_deleting, name_of
from ..compile.outcome import DONE, Applied, Result
from ..compile.server import make_default_server
from ..compile.server_plan import ServerInputs, ServerPlan, plan_server, server_outcome
from ..runtime.enqueue import WorkKey
from .context import Context, cause_of
from .routing import RoutingWriter


class ServerReconciler:
    """Reconciles one ModelServer at a time, with the documents of its routes."""

    def __init__(self, context: Context, routing: RoutingWriter, ask: Callable[[WorkKey], None]) -> None:
        """`ask` has another key reconciled soon."""
        self._context = context
        self._routing = routing
        self._ask = ask

    async def reconcile(self, namespace: str, name: str) -> Result:
        """Writes the documents; then observes, plans, applies the plan and writes the status, which is judged by the
        documents in force.
        """
        context = self._context
        if context.settings.servers is not None and name not in context.settings.servers:
            return DONE
        routes = context.queries.routes(namespace, name)
        server = await self._find(namespace, name, routes)
        if server is None:
            context.queries.forget_server(namespace, name)
            self._routing.forget(namespace, name)
        if server is None or is_deleting(server):
            return await context.end(MODEL_SERVER, namespace, name, server)
        written = await self._routing.reconcile(server, routes)
        plan = plan_server(await self._observe(namespace, server, routes, written), context.settings)
        applied = await self._apply(namespace, plan)
        return await context.write(MODEL_SERVER, server, server_outcome(plan, applied, context.stamp()))

    async def _find(self, namespace: str, name: str, routes: Mapping[str, Object]) -> Object | None:
        """The ModelServer. `default` is made as soon as a route names it."""
        context = self._context
        server = context.cache.get(MODEL_SERVER, namespace, name)
        if server is None and routes and name == names.DEFAULT_SERVER:
            server = await context.live.server(namespace, name)
            server = server or await context.cluster.create(make_default_server(namespace))
        return server

    async def _observe(
        self, namespace: str, server: Object, routes: Mapping[str, Object], written: Applied
    ) -> ServerInputs:
        context = self._context
        left, failed = list[Object](), None
        try:
            left = await context.live.left_reports(namespace, name_of(server))
        except Exception as error:  # it must not keep the children from being applied
            failed = error
        return replace(context.queries.server_inputs(server, routes, left, written, context.now()), failed=failed)

    async def _apply(self, namespace: str, plan: ServerPlan) -> Applied:
        """If anything has the name of a child, all of that is named at once, and no pod is started."""
        applied = plan.inputs.written  # the routing ConfigMap is a child, too
        for body in plan.children:
            applied = await self._apply_child(body, applied)
        if plan.inputs.failed:
            raise plan.inputs.failed
        for report in plan.inputs.left:
            await self._context.cluster.delete(REPLICA_REPORT, report, unchanged=True)
        if plan.recount:
            self._ask((MODEL_ROUTE.kind, namespace, plan.recount))
        return applied

    async def _apply_child(self, body: Object, applied: Applied) -> Applied:
        """One that is refused keeps none of the others from being made."""
        cluster = self._context.cluster
        try:
            if applied.taken:
                await cluster.check(body)
                return applied
            made = await cluster.apply(body)
        except NameTakenError as error:
            return replace(applied, taken=(*applied.taken, *error.taken))
        except RefusedError as error:
            return replace(applied, refused=cause_of(error))
        return replace(applied, deployment=made) if body["kind"] == DEPLOYMENT.kind else applied
