"""ModelServer: its children, the routing ConfigMap first, and its status from its replicas."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from linplane_api import names
from linplane_api.kinds import DEPLOYMENT, MODEL_ROUTE, MODEL_SERVER, REPLICA_REPORT

from ..cluster_client import NameTakenError, RefusedError
from ..compile.objects import Object, is_deleting
from ..compile.outcome import DONE, Applied, Result
from ..compile.server import make_default_server
from ..compile.server_plan import ServerPlan, plan_server, server_outcome
from ..runtime.enqueue import WorkKey
from .context import Context, cause_of
from .routing import RoutingWriter


class ServerReconciler:
    """Reconciles one ModelServer at a time, with the documents of its routes."""

    def __init__(self, context: Context, routing: RoutingWriter, enqueue: Callable[[WorkKey], None]) -> None:
        """`enqueue` has another key reconciled soon."""
        self._context = context
        self._routing = routing
        self._enqueue = enqueue

    async def reconcile(self, namespace: str, name: str) -> Result:
        """Plans the children, writes the documents and applies the plan; then observes what came of it, and writes the
        status.
        """
        context = self._context
        if context.settings.servers is not None and name not in context.settings.servers:
            return DONE
        routes = context.queries.routes(namespace, name)
        server = await self._find(namespace, name, routes)
        if server is None:
            context.routings.forget_server(namespace, name)
            self._routing.forget(namespace, name)
        if server is None or is_deleting(server):
            return await context.end(MODEL_SERVER, namespace, name, server)
        plan = plan_server(server, context.settings)
        written = await self._routing.reconcile(server)
        applied = await self._apply(plan, written)
        await self._delete_left_reports(namespace, name)
        routes = context.queries.routes(namespace, name)  # they may have changed meanwhile
        inputs = context.queries.server_inputs(server, routes, written, applied, context.now())
        outcome = server_outcome(plan, inputs, context.stamp())
        if outcome.recount:
            self._enqueue((MODEL_ROUTE.kind, namespace, outcome.recount))
        return await context.write(MODEL_SERVER, server, outcome)

    async def _find(self, namespace: str, name: str, routes: Mapping[str, Object]) -> Object | None:
        """The ModelServer. `default` is created as soon as a route names it."""
        context = self._context
        server = context.cache.get(MODEL_SERVER, namespace, name)
        if server is None and routes and name == names.DEFAULT_SERVER:
            server = await context.live.server(namespace, name)
            server = server or await context.client.create(make_default_server(namespace))
        return server

    async def _apply(self, plan: ServerPlan, written: Applied) -> Applied:
        """If anything has the name of a child, all of that is named at once, and no pod is started. The routing
        ConfigMap counts as a child, too.
        """
        applied = written
        for body in plan.children:
            applied = await self._apply_child(body, applied)
        return applied

    async def _delete_left_reports(self, namespace: str, server: str) -> None:
        """Deletes the reports whose pod is gone. A pod that only the cache has lost is in it afterwards."""
        for report in await self._context.live.left_reports(namespace, server):
            await self._context.client.delete(REPLICA_REPORT, report, unchanged=True)

    async def _apply_child(self, body: Object, applied: Applied) -> Applied:
        """A refusal does not keep the other children from being applied."""
        client = self._context.client
        try:
            if applied.taken:
                await client.check(body)
                return applied
            made = await client.apply(body)
        except NameTakenError as error:
            return replace(applied, taken=(*applied.taken, *error.taken))
        except RefusedError as error:
            return replace(applied, refused=cause_of(error))
        return replace(applied, deployment=made) if body["kind"] == DEPLOYMENT.kind else applied
