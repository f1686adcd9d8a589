"""A ModelServer's conditions and status, from its replicas and the rollout of its pods."""

from collections.abc import Sequence

from linplane_api.condition_table import Progress
from linplane_api.conditions import Cause, Condition, ConditionType, Reason
from linplane_api.resources import ModelServerStatus

from .acknowledgements import Acknowledged
from .conditions import condition
from .kstatus import with_progress
from .objects import Object, generation_of, name_of
from .rollout import Rollout
from .services import selector


def server_conditions(
    routes: int, replicas: Acknowledged, rollout: Rollout, problem: Cause | None
) -> tuple[Condition, ...]:
    """Available, Converged and, if every pod is up to date and ready too, Ready. `problem`: what is wrong with the
    children.
    """
    if replicas.total:
        available = condition(ConditionType.AVAILABLE, Cause(Reason.REPLICAS_READY, f"{replicas.total} ready"))
    else:
        available = condition(ConditionType.AVAILABLE, Cause(Reason.NO_REPLICAS, rollout.cause.message))
    converged = _converged(routes, replicas, rollout, problem)
    ready = condition(ConditionType.READY, problem or _not_ready(available, converged, rollout))
    return with_progress((available, converged, ready), Progress.RECONCILING if rollout.wanted else Progress.NONE)


def _not_ready(available: Condition, converged: Condition, rollout: Rollout) -> Cause:
    """Why a server is not Ready, or that it is: what its pods wait for says more than that none is ready."""
    if rollout.cause.reason is not Reason.READY:
        return rollout.cause
    missing = next((c for c in (converged, available) if c.status != "True"), None)
    return missing.cause if missing else Cause(Reason.READY, converged.message)


def _converged(routes: int, replicas: Acknowledged, rollout: Rollout, problem: Cause | None) -> Condition:
    kind = ConditionType.CONVERGED
    if problem:
        return condition(kind, problem)
    if not replicas.total:
        return condition(kind, Cause(Reason.NO_REPLICAS, rollout.cause.message))
    if not replicas.converged:
        reason = Reason.REJECTED if replicas.rejected else Reason.REPLICAS_BEHIND
        return condition(kind, Cause(reason, replicas.problem))
    if not routes:
        return condition(kind, Cause(Reason.NO_ROUTES, "no route names this server"))
    return condition(kind, Cause(Reason.CONVERGED, f"{replicas.summary} replicas have loaded {routes} routes"))


def server_status(  # noqa: PLR0913 - a status sums up all of it
    server: Object,
    conditions: Sequence[Condition],
    *,
    pods: int,
    routes: int,
    sequence: int,
    replicas: Acknowledged,
) -> ModelServerStatus:
    """The whole status of a ModelServer. `pods`: all that there are, ready or not."""
    return ModelServerStatus(
        observed_generation=generation_of(server),
        conditions=tuple(conditions),
        replicas=pods,
        loaded_replicas=replicas.loaded,
        selector=",".join(f"{key}={value}" for key, value in sorted(selector(name_of(server)).items())),
        routes=routes,
        sequence=sequence,
    )
