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
from .conditions import holds, merge_conditions
from .objects import Object, generation_of, name_of, status_of
from .observed import Deployment, Pod, observe
from .outcome import DONE, Applied, Outcome, Result, earliest
from .rbac import make_server_access
from .rollout import rollout_of
from .server import make_deployment
from .server_status import server_conditions, server_status
from .services import make_server_network
from .settings import COUNT_SECONDS, RETRY_SECONDS, Settings


@dataclass(frozen=True)
class ServerPlan:
    """The work on one ModelServer: apply the children in this order, or only check their names once one is taken.
    `invalid`: why the spec cannot be read.
    """

    server: Object
    children: tuple[Object, ...] = ()
    invalid: Cause | None = None


@dataclass(frozen=True)
class ServerInputs:
    """All that decides about the status of one ModelServer, once its children are applied. `routing`: its routing
    ConfigMap, `written`: the result of writing it. `applied`: the result of applying the children.
    """

    routes: Mapping[str, Object]
    routing: RoutingMap | None
    written: Applied
    applied: Applied
    deployment: Deployment | None
    pods: Sequence[Pod]
    replicas: Sequence[Replica]
    now: datetime


@dataclass(frozen=True)
class ServerOutcome(Outcome):
    """`recount`: a route that is to count its replicas again."""

    recount: str | None = None


def plan_server(server: Object, settings: Settings) -> ServerPlan:
    """The plan. If the spec cannot be read, the children stay as they are."""
    try:
        deployment = make_deployment(server, parse_spec(server, ModelServerSpec), settings)
    except FormatError as error:
        return ServerPlan(server, invalid=Cause(Reason.INVALID_SPEC, str(error)))
    return ServerPlan(server, (*make_server_access(server), *make_server_network(server), deployment))


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


def server_outcome(plan: ServerPlan, inputs: ServerInputs, now: str) -> ServerOutcome:
    """The outcome of a plan. `now`: RFC 3339."""
    server, routes, routing = plan.server, len(inputs.routes), inputs.routing
    problem, applied = _problem(plan, inputs), inputs.applied.deployment
    acknowledged = loaded_by(inputs.replicas, *((routing.uid, routing.sequence) if routing else ("", 0)))
    deployment = observe(Deployment, applied) if applied else inputs.deployment
    rollout = rollout_of(deployment, inputs.pods, inputs.replicas, inputs.now)
    wanted = server_conditions(routes, acknowledged, rollout, problem)
    status = server_status(
        server,
        merge_conditions(wanted, status_of(server), generation_of(server), now),
        pods=len(inputs.pods),
        routes=routes,
        sequence=routing.sequence if routing else 0,
        replicas=acknowledged,
    )
    miscounted = _miscounted(inputs.routes, acknowledged)
    retry = Result(RETRY_SECONDS) if problem else DONE
    recount = Result(COUNT_SECONDS) if miscounted else DONE
    due = earliest(inputs.written.result, Result(rollout.requeue_after), retry, recount)
    return ServerOutcome(plain(status), due, miscounted)


def _problem(plan: ServerPlan, inputs: ServerInputs) -> Cause | None:
    """The cause that prevents the children: every name that is taken, else the routing ConfigMap first."""
    applied = inputs.applied
    if applied.taken and not plan.invalid:
        return Cause(Reason.NAME_TAKEN, taken_text(f"ModelServer {name_of(plan.server)}", applied.taken))
    return inputs.written.refused or plan.invalid or applied.refused
