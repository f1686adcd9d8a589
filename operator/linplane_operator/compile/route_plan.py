"""A ModelRoute: from what exists to its Service and its status. Its document is written with those of its server."""

from collections.abc import Sequence
from dataclasses import dataclass

from linplane_api.condition_table import Progress
from linplane_api.conditions import Cause, Condition, ConditionType, Reason
from linplane_api.resources import ModelRouteSpec, plain
from linplane_api.routing import Entry, RoutingMap

from .acknowledgements import Acknowledged, Replica, loaded_by
from .adoption import taken_text
from .conditions import condition, merge_conditions
from .formats import Unread, unsupported
from .kstatus import joint_progress, progress_of, with_progress
from .missing_features import Lack, lacking_of, with_lacking
from .objects import Object, generation_of, name_of, status_of
from .outcome import DONE, Outcome, Result
from .route_status import refuse, route_conditions, route_status, servable_of, servable_without_document
from .routing import Compiled
from .routing_map import has_room
from .services import make_route_service
from .settings import RETRY_SECONDS, Settings

FULL = "the routing ConfigMap has no room for it (1 MiB); use another ModelServer"
NONE_LOADED = Acknowledged(0, 0, "")


@dataclass(frozen=True)
class RouteInputs:
    """All that decides about one ModelRoute.

    `routing`, `entry`: the routing ConfigMap of its server, and what it has for this route. `unread`: that is of a
    format that this operator does not read. `last_entry`: the entry
    that this process saw last. `waits_for`: the LinearModels that `compiled` waits for. `taken`: the object that has
    the ConfigMap's name and is not the server's (`ConfigMap x`), or empty. `refused`: why the last write of the
    ConfigMap was refused. `has_grpc`: its server answers by gRPC.
    """

    route: Object
    spec: ModelRouteSpec
    has_server: bool
    routing: RoutingMap | None
    entry: Entry | None
    unread: Unread | None
    last_entry: Entry | None
    compiled: Compiled
    waits_for: Sequence[Object | None]
    replicas: Sequence[Replica]
    wanted_replicas: int
    has_grpc: bool
    taken: str
    refused: Cause | None
    url: str


@dataclass(frozen=True)
class RoutePlan:
    """The work on one ModelRoute: apply its Service, or only check whether its name is free if `only_check`; None
    if the route as a whole is not accepted. Then write its status.

    `shown`: the entry that servers answer with, in force or not. `is_current`: the entry in force is what the spec
    compiles to.
    """

    inputs: RouteInputs
    accepted: Cause
    servable: Condition
    service: Object | None = None
    only_check: bool = False
    entry: Entry | None = None
    is_current: bool = False
    shown: Entry | None = None
    acknowledged: Acknowledged = NONE_LOADED
    lacking: Sequence[Lack] = ()


def plan_route(inputs: RouteInputs, settings: Settings) -> RoutePlan:
    """The plan."""
    route, spec, entry, compiled = inputs.route, inputs.spec, inputs.entry, inputs.compiled
    name, missing = name_of(route), compiled.missing
    refusal = refuse(name, spec.server_name, server_exists=inputs.has_server, servers=settings.servers)
    if refusal:
        return RoutePlan(inputs, refusal, servable_without_document(route, refusal, missing))
    acknowledged, lacking = NONE_LOADED, list[Lack]()
    if inputs.routing and entry:
        acknowledged = loaded_by(inputs.replicas, inputs.routing.uid, entry.sequence, name)
        lacking = lacking_of(inputs.replicas, name, entry.document)
    shown = entry or inputs.last_entry  # without a ConfigMap the servers go on with what they hold
    taken = taken_text(f"ModelServer {spec.server_name}", (inputs.taken,)) if inputs.taken else ""
    return RoutePlan(
        inputs,
        accepted=Cause(Reason.NAME_TAKEN, taken) if taken else _accepted(inputs),
        servable=_servable(inputs, shown),
        service=make_route_service(route, spec.service, grpc=inputs.has_grpc),
        only_check=bool(taken),
        entry=entry,
        is_current=entry is not None and entry.revision == compiled.entry.revision,
        shown=shown,
        acknowledged=acknowledged,
        lacking=lacking,
    )


def _servable(inputs: RouteInputs, shown: Entry | None) -> Condition:
    if inputs.unread:
        return condition(ConditionType.SERVABLE, Cause(Reason.FORMAT_NOT_SUPPORTED, inputs.unread.problem))
    return (
        servable_of(shown.document) if shown else servable_without_document(inputs.route, None, inputs.compiled.missing)
    )


def _accepted(inputs: RouteInputs) -> Cause:
    """Whether the spec is in effect, or why it is not."""
    entry, compiled = inputs.entry, inputs.compiled
    if entry and entry.revision == compiled.entry.revision:
        return compiled.cause
    if blocked := _blocked(inputs):
        return blocked
    if compiled.missing and entry is None:
        lost = " and ".join(compiled.missing)
        text = f"version {lost} served last and cannot be served now; the servers go on with what they hold"
        return Cause(Reason.VERSION_NOT_READY, text)
    if compiled.cause.reason is Reason.ACCEPTED:
        return Cause(Reason.ACCEPTED, "accepted; waiting for the servers")
    return compiled.cause


def _blocked(inputs: RouteInputs) -> Cause | None:
    """Why the document cannot be written, None if it can."""
    version = inputs.compiled.entry.document.format
    if problem := inputs.unread.problem if inputs.unread else unsupported(inputs.replicas, version):
        return Cause(Reason.FORMAT_NOT_SUPPORTED, problem)
    if inputs.routing and not has_room(inputs.routing, name_of(inputs.route), inputs.compiled.entry):
        return Cause(Reason.ROUTING_FULL, FULL)
    return inputs.refused


def route_outcome(plan: RoutePlan, problem: Cause | None, now: str) -> Outcome:
    """The outcome of a plan. `problem`: why the Service could not be applied. `now`: RFC 3339."""
    route, accepted = plan.inputs.route, plan.accepted
    if problem and plan.only_check and problem.reason is accepted.reason:
        accepted = Cause(accepted.reason, f"{accepted.message}. {problem.message}")  # name both at once
    elif problem:
        accepted = problem
    servable = with_lacking(plan.servable, plan.lacking)
    wanted = route_conditions(accepted, servable, plan.entry, plan.is_current, plan.acknowledged)
    wanted = with_progress(wanted, _inherited(plan.inputs, wanted[-1].reason))
    conditions = merge_conditions(wanted, status_of(route), generation_of(route), now)
    url = plan.inputs.url if plan.service else ""
    status = route_status(route, plan.shown, conditions, plan.acknowledged, url=url, now=now)
    waits_for_others = accepted.reason in (Reason.NAME_TAKEN, Reason.CHILD_REFUSED)
    return Outcome(plain(status), Result(RETRY_SECONDS) if waits_for_others else DONE)


def _inherited(inputs: RouteInputs, reason: Reason) -> Progress:
    """The progress of what the route waits for, for this reason: its ModelServer's pods, or its versions."""
    if reason is Reason.NO_REPLICAS:
        return Progress.RECONCILING if inputs.wanted_replicas else Progress.NONE
    return joint_progress(map(progress_of, inputs.waits_for))
