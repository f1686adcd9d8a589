"""How far the pods of a ModelServer are, as its Deployment and the pods themselves say."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from linplane_api import names
from linplane_api.conditions import Cause, Reason

from .acknowledgements import Replica
from .job_progress import PULLING, age_of, pod_refused, waits_for
from .observed import Deployment, ObservedCondition, Pod, find_condition
from .settings import SILENT_SECONDS

GAVE_UP = "ProgressDeadlineExceeded"


@dataclass(frozen=True)
class Rollout:
    """The cause is READY if every pod is of the current spec and ready. `wanted`: how many pods there are to be.
    `requeue_after`: seconds until it has to be judged again.
    """

    cause: Cause
    wanted: int = 1
    requeue_after: float | None = None


@dataclass(frozen=True)
class _Count:
    """The counts of a Deployment's controller. `old`: pods of an earlier spec."""

    wanted: int
    updated: int
    ready: int
    old: int

    @property
    def complete(self) -> bool:
        return self.updated >= self.wanted and not self.old and self.ready >= self.wanted

    @property
    def ready_updated(self) -> int:
        """At least so many updated pods are ready: a Deployment does not count them, and removes earlier pods that
        are not ready first.
        """
        return max(0, min(self.updated, self.ready - self.old))


def rollout_of(
    deployment: Deployment | None, pods: Sequence[Pod], replicas: Sequence[Replica], now: datetime
) -> Rollout:
    """The state of the pods, with the words of whatever holds them up."""
    if deployment is None:
        return Rollout(Cause(Reason.NO_REPLICAS, "there is no Deployment yet"))
    count = _count(deployment)
    if not count.wanted:
        return Rollout(Cause(Reason.NO_REPLICAS, "replicas is 0"), 0)
    if count.complete:
        return Rollout(Cause(Reason.READY, f"{count.ready} of {count.wanted} pods ready"))
    requeue_after, silent = _silent(pods, replicas, now)
    cause = next(iter((*_refused(deployment), *_waiting(pods), *silent)), None)
    words = f": {cause.message}" if cause and cause.message else ""
    ready, earlier = count.ready_updated, count.ready - count.ready_updated
    message = f"{ready} of {count.wanted} {'updated ' if count.old else ''}pods ready{words}"
    if count.old and earlier:
        message += f"; {earlier} earlier {'pod goes' if earlier == 1 else 'pods go'} on serving"
    failed = _condition(deployment, "Progressing", "False")
    if failed and failed.reason == GAVE_UP:
        return Rollout(Cause(Reason.PROGRESS_DEADLINE_EXCEEDED, f"{message} ({failed.message or GAVE_UP})"))
    behind = Reason.REPLICAS_BEHIND if count.ready else Reason.NO_REPLICAS
    reason = behind if cause is None or cause.reason is Reason.PENDING else cause.reason
    return Rollout(Cause(reason, message), count.wanted, requeue_after)


def _count(deployment: Deployment) -> _Count:
    status = deployment.status
    # what it counts as updated may be of an earlier spec
    updated = status.updated_replicas if _is_observed(deployment) else 0
    return _Count(deployment.spec.replicas, updated, status.ready_replicas, max(0, status.replicas - updated))


def _is_observed(deployment: Deployment) -> bool:
    """The status is of the current spec."""
    return deployment.status.observed_generation >= deployment.metadata.generation


def _condition(deployment: Deployment, kind: str, status: str) -> ObservedCondition | None:
    """The Deployment's condition, None if it has none or it is of an earlier spec."""
    return find_condition(deployment.status.conditions, kind, status) if _is_observed(deployment) else None


def _refused(deployment: Deployment) -> Iterator[Cause]:
    if failure := _condition(deployment, "ReplicaFailure", "True"):
        yield pod_refused(failure.message or failure.reason)


def _waiting(pods: Iterable[Pod]) -> Iterator[Cause]:
    """Why pods do not run, the newest first: an update is made of these."""
    for pod in sorted(pods, key=lambda pod: (pod.metadata.creation_timestamp or "", pod.name), reverse=True):
        for container in pod.status.container_statuses:
            waiting = container.state.waiting
            if waiting and waiting.reason in PULLING:
                yield Cause(Reason.IMAGE_PULL_FAILED, f"{waiting.reason} {container.image}")
        if why := waits_for(pod):
            yield Cause(why.reason, f"{why.message}{_last_end(pod)}")


def _last_end(pod: Pod) -> str:
    """How the container of a pod that restarts ended last."""
    for container in pod.status.container_statuses:
        if ended := container.last_state.terminated:
            return f" (it ended by {ended.reason}, exit code {ended.exit_code})"
    return ""


def _silent(pods: Sequence[Pod], replicas: Sequence[Replica], now: datetime) -> tuple[float | None, list[Cause]]:
    """Pods that run and have not reported: in how many seconds the next is late, and those that are."""
    unheard = {r.name for r in replicas if not (r.ready or r.terminating or r.report)}
    ages = {}
    for pod in pods:
        for container in pod.status.container_statuses:
            running = container.state.running
            age = age_of(running.started_at, now) if running else None
            if container.name == names.SERVER_CONTAINER and age is not None and pod.name in unheard:
                ages[pod.name] = age
    late = [name for name, age in sorted(ages.items()) if age >= SILENT_SECONDS]
    words = "runs and has not reported: can it reach the API server? (NetworkPolicy)"
    requeue_after = min((SILENT_SECONDS - age for age in ages.values() if age < SILENT_SECONDS), default=None)
    return requeue_after, [Cause(Reason.PENDING, f"pod {name} {words}") for name in late]
