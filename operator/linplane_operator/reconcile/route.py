"""ModelRoute: its Service, and its status from its document and the replicas that have loaded it."""

from linplane_api.conditions import Cause
from linplane_api.kinds import MODEL_ROUTE

from ..cluster_client import NameTakenError, RefusedError
from ..compile.objects import Object, is_deleting
from ..compile.outcome import Result
from ..compile.route_plan import RouteInputs, RoutePlan, plan_route, route_outcome
from .context import Context, cause_of
from .missing_features import MissingFeatureEvents
from .routing import RoutingWriter


class RouteReconciler:
    """Reconciles one ModelRoute at a time. Its document is written with those of its server."""

    def __init__(self, context: Context, routing: RoutingWriter) -> None:
        self._context = context
        self._routing = routing
        self._missing_features = MissingFeatureEvents(context.client, context.now)

    async def reconcile(self, namespace: str, name: str) -> Result:
        """Observes, plans, applies the plan and writes the status."""
        context = self._context
        route = context.cache.get(MODEL_ROUTE, namespace, name)
        if route is None or is_deleting(route):
            context.queries.forget(namespace, name)
            context.routings.forget_route(namespace, name)
            self._missing_features.forget(namespace, name)
            return await context.end(MODEL_ROUTE, namespace, name, route)
        plan = plan_route(await self._observe(namespace, route), context.settings)
        problem = await self._apply(plan)
        return await context.write(MODEL_ROUTE, route, route_outcome(plan, problem, context.stamp()))

    async def _observe(self, namespace: str, route: Object) -> RouteInputs:
        context = self._context
        spec = context.queries.route_spec(route)
        routing = await context.live.read_for_route(route, spec)
        refused = self._routing.refused(namespace, spec.server_name)
        return context.queries.route_inputs(route, spec, routing, refused, context.client.url_of(route))

    async def _apply(self, plan: RoutePlan) -> Cause | None:
        """Applies the plan. Returns the cause that prevents the Service."""
        self._missing_features.record(plan.inputs.route, plan.lacking)
        if plan.service is None:
            return None
        client = self._context.client
        try:
            await (client.check(plan.service) if plan.only_check else client.apply(plan.service))
        except (NameTakenError, RefusedError) as error:
            return cause_of(error)
        return None
