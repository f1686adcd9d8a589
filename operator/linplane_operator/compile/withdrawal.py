"""Whether a frozen version can still answer anywhere: the condition Withdrawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from linplane_api.conditions import Cause, Condition, ConditionType, Reason
from linplane_api.resources import LinearModelSpec

from .acknowledgements import Replica, loaded_by
from .conditions import condition, condition_of
from .formats import Unread
from .objects import Object, generation_of, status_of

NOT_FROZEN = condition(ConditionType.WITHDRAWN, Cause(Reason.NOT_FROZEN, "the version is not frozen"))


@dataclass(frozen=True)
class Acknowledgements:
    """The acknowledgements of one server's replicas: of all that may still answer, each with its report.

    `uid`, `sequence`: of the server's routing ConfigMap, empty and 0 without one. `holding`: the routes in it whose
    documents have the weights of the version. `unread`: the routes in it that may, for their format cannot be read.
    """

    uid: str
    sequence: int
    holding: Sequence[str]
    replicas: Sequence[Replica]
    unread: Mapping[str, Unread] = field(default_factory=dict)


def withdrawn(model: Object, spec: LinearModelSpec, servers: Sequence[Acknowledgements]) -> Condition:
    """The condition of a version, given every server of its namespace. What was once confirmed stays so while the
    version is frozen: no document takes it up, and no replica goes back behind what it has confirmed. Of a document
    that cannot be read that is not known: it may have been restored.
    """
    kind = ConditionType.WITHDRAWN
    if not spec.frozen:
        return NOT_FROZEN
    if unread := [f"route {route}: {one.problem}" for server in servers for route, one in server.unread.items()]:
        return condition(kind, Cause(Reason.REPLICAS_BEHIND, unread[0]))
    if held := [route for server in servers for route in server.holding]:
        return condition(kind, Cause(Reason.REPLICAS_BEHIND, f"route {held[0]} still has it in its document"))
    if not was_withdrawn(model) and (problem := _unconfirmed(servers)):
        return condition(kind, Cause(Reason.REPLICAS_BEHIND, problem))
    return condition(kind, Cause(Reason.FROZEN, "frozen, and no replica can answer with it"))


def was_withdrawn(model: Object) -> bool:
    """The status says so of this very generation, in which nothing but `frozen` could have changed."""
    found = condition_of(status_of(model), ConditionType.WITHDRAWN)
    return found is not None and found.status == "True" and found.observed_generation == generation_of(model)


def _unconfirmed(servers: Sequence[Acknowledgements]) -> str:
    """Which replica has not confirmed all of its server's routing ConfigMap, empty if every one has."""
    for server in servers:
        confirmed = loaded_by(server.replicas, server.uid, server.sequence, terminating=True)
        if confirmed.problem:
            return confirmed.problem
    return ""
