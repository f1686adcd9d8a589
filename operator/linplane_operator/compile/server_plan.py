"""A ModelServer: from what exists to its children and its status. Its routing ConfigMap is written before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from linplane_api.canonical import FormatError
from linplane_api.conditions import Cause, ConditionType, Reason
from linplane_api.resources import ModelServerSpec, parse_spec, plain
from linplane_api.routing import RoutingMap

from .acknowledgements import Acknowledged, Replica, loaded_by
from .adoption import taken_text
from .conditions import holds, settle
from .objects import Object, Settings, generation_of, name_of, status_of
from .observed import Deployment, Pod, observe
from .outcome import COUNT_SECONDS, DONE, RETRY_SECONDS, Applied, Outcome, Result, earliest
from .rbac import make_server_access, make_server_network
from .rollout import rollout_of
from .server import make_deployment, server_conditions, server_status


@dataclass(frozen=True)
class ServerInputs:
    """All that decides about one ModelServer. `routing`: its routing ConfigMap, `written`: what came of writing it.
    `left`: the reports whose pod is gone. `failed`: why that could not be found out; it is raised once the children are
    applied.
    """

    server: Object
    routes: Mapping[str, Object]
    routing: RoutingMap | None
    written: Applied
    deployment: Deployment | None
    pods: Sequence[Pod]
    replicas: Sequence[Replica]
    left: Sequence[Object]
    now: datetime
    failed: Exception | None = None


@dataclass(frozen=True)
class ServerPlan:
    """What to do for one ModelServer: apply the children in this order, or only check their names once one is taken;
    delete the reports that are left; then write the status.

    `invalid`: why the spec cannot be read. `recount`: a route that is to count its replicas again.
    """

    inputs: ServerInputs
    children: tuple[Object, ...]
    invalid: Cause | None
    acknowledged: Acknowledged
    recount: str | None


def plan_server(inputs: ServerInputs, settings: Settings) -> ServerPlan:
    """The plan. If the spec cannot be read, the children stay as they are."""
    server, routing, invalid = inputs.server, inputs.routing, None
    children: tuple[Object, ...] = ()
    try:
        deployment = make_deployment(server, parse_spec(server, ModelServerSpec), settings)
        children = (*make_server_access(server), *make_server_network(server), deployment)
    except FormatError as error:
        invalid = Cause(Reason.INVALID_SPEC, str(error))
    acknowledged = loaded_by(inputs.replicas, *((routing.uid, routing.sequence) if routing else ("", 0)))
    return ServerPlan(inputs, children, invalid, acknowledged, _miscounted(inputs.routes, acknowledged))


def _miscounted(routes: Mapping[str, Object], acknowledged: Acknowledged) -> str | None:
    """A converged route whose status counts other replicas than these, which have loaded everything. One at a time:
    there may be many.
    """
    if not acknowledged.converged:
        return None
    for name, route in routes.items():
        status = status_of(route)
        if status.get("loadedSummary") != acknowledged.summary and holds(status, ConditionType.CONVERGED):
            return name
    return None


def server_outcome(plan: ServerPlan, applied: Applied, now: str) -> Outcome:
    """The outcome of a plan. `now`: RFC 3339."""
    inputs, server, routes = plan.inputs, plan.inputs.server, len(plan.inputs.routes)
    problem = _problem(plan, applied)
    deployment = observe(Deployment, applied.deployment) if applied.deployment else inputs.deployment
    rollout = rollout_of(deployment, inputs.pods, inputs.replicas, inputs.now)
    wanted = server_conditions(routes, plan.acknowledged, rollout, problem)
    status = server_status(
        server,
        settle(wanted, status_of(server), generation_of(server), now),
        pods=len(inputs.pods),
        routes=routes,
        sequence=inputs.routing.sequence if inputs.routing else 0,
        replicas=plan.acknowledged,
    )
    retry = Result(RETRY_SECONDS) if problem else DONE
    recount = Result(COUNT_SECONDS) if plan.recount else DONE
    return Outcome(plain(status), earliest(inputs.written.result, Result(rollout.requeue_after), retry, recount))


def _problem(plan: ServerPlan, applied: Applied) -> Cause | None:
    """What is in the way of the children: every name that is taken, else the routing ConfigMap first."""
    written = plan.inputs.written
    if applied.taken and not plan.invalid:
        owner = f"ModelServer {name_of(plan.inputs.server)}"
        return Cause(Reason.NAME_TAKEN, taken_text(owner, applied.taken))
    return written.refused or plan.invalid or applied.refused
