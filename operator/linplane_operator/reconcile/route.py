"""ModelRoute: its Service, and what its status says of its document and of the replicas that have loaded it."""

from linplane_api.conditions import Cause
from linplane_api.kinds import MODEL_ROUTE

from ..cluster import NameTakenError, RefusedError
from ..compile.objects import Object, is_deleting
from ..compile.outcome import Result
from ..compile.route_plan import RouteInputs, RoutePlan, plan_route, route_outcome
from .lacking import LackingEvents
from .routing import RoutingWriter
from .tools import Tools, cause_of


class RouteReconciler:
    """Reconciles one ModelRoute at a time. Its document is written with those of its server."""

    def __init__(self, tools: Tools, routing: RoutingWriter) -> None:
        self._tools = tools
        self._routing = routing
        self._lacking = LackingEvents(tools.cluster, tools.now)

    async def reconcile(self, namespace: str, name: str) -> Result:
        """Observes, plans, applies the plan and writes the status."""
        tools = self._tools
        route = tools.world.get(MODEL_ROUTE, namespace, name)
        if route is None or is_deleting(route):
            tools.survey.forget(namespace, name)
            self._lacking.forget(namespace, name)
            return await tools.end(MODEL_ROUTE, namespace, name, route)
        plan = plan_route(await self._observe(namespace, route), tools.settings)
        problem = await self._apply(plan)
        return await tools.write(MODEL_ROUTE, route, route_outcome(plan, problem, tools.stamp()))

    async def _observe(self, namespace: str, route: Object) -> RouteInputs:
        tools = self._tools
        spec = tools.survey.route_spec(route)
        await tools.lookout.look_around(route, spec)
        refused = self._routing.refused(namespace, spec.server_name)
        return tools.survey.route_inputs(route, spec, refused, tools.cluster.url_of(route))

    async def _apply(self, plan: RoutePlan) -> Cause | None:
        """What is in the way of the Service."""
        self._lacking.tell(plan.inputs.route, plan.lacking)
        if plan.service is None:
            return None
        cluster = self._tools.cluster
        try:
            await (cluster.check(plan.service) if plan.only_check else cluster.apply(plan.service))
        except (NameTakenError, RefusedError) as error:
            return cause_of(error)
        return None
