"""The progress of a training Job, from the Job, its pods and its Events."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from linplane_api.api_access import UNREACHABLE
from linplane_api.conditions import Cause, Reason
from linplane_api.task import EXIT_UNREACHABLE, EXIT_UNREPORTED
from linplane_api.timing import parse_rfc3339

from .observed import Job, ObservedCondition, Pod, find_condition
from .settings import KEPT_SECONDS, POD_SECONDS

PULLING = {
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
    "SignatureValidationFailed",
}
"""Why a kubelet has no image: its own words (pkg/kubelet/images/types.go)."""

NEXT = {
    Reason.QUOTA_EXCEEDED: "it goes on once the quota has room; see also training.job.resources",
    Reason.POD_REFUSED: "it goes on once that is allowed",
    Reason.UNSCHEDULABLE: "it goes on once a node has room; or request less or other nodes in training.job",
    Reason.IMAGE_PULL_FAILED: "it goes on once the image can be pulled; see also training.job.imagePullSecrets",
    Reason.DEADLINE_EXCEEDED: "the Events say what took so long; raise training.job.activeDeadlineSeconds",
    Reason.OOM_KILLED: "raise training.job.resources.limits.memory",
    Reason.EVICTED: "raise what training.job.resources requests",
}
"""Advice for reasons whose message has none."""

_ENDS = {"OOMKilled": Reason.OOM_KILLED, "Evicted": Reason.EVICTED}
_MAKING = re.compile(r'^(\(combined from similar events\): )?(Error creating: )?(pods "[^"]*" is forbidden: )?')


def seconds_kept(job: Job, now: datetime) -> float | None:
    """Seconds until a finished Job may be deleted (0 or less: now); None while it runs."""
    ended = _end_of(job)
    if ended is None:
        return None
    age = age_of(job.status.completion_time or ended.last_transition_time, now)
    return None if age is None else KEPT_SECONDS - age


def seconds_to_pod(job: Job, pods: Sequence[Pod], now: datetime) -> float | None:
    """Seconds until a Job without a pod is late (0 or less: it is); None if it has one or needs none."""
    if pods or job.status.active or has_ended(job) or job.spec.suspend:
        return None
    age = age_of(job.metadata.creation_timestamp, now)
    return None if age is None else POD_SECONDS - age


def age_of(since: str | None, now: datetime) -> float | None:
    """Seconds since a time of RFC 3339, None if it is none."""
    try:
        return (now - parse_rfc3339(since or "")).total_seconds()
    except ValueError:
        return None


def has_completed(job: Job) -> bool:
    """A pod of it succeeded."""
    return find_condition(job.status.conditions, "Complete") is not None


def failure_of(job: Job) -> ObservedCondition | None:
    """The condition that says why the Job failed, None if it has not."""
    return find_condition(job.status.conditions, "Failed")


def has_ended(job: Job) -> bool:
    """No pod of it will do any more."""
    return _end_of(job) is not None


def _end_of(job: Job) -> ObservedCondition | None:
    return find_condition(job.status.conditions, "Complete") or failure_of(job)


def has_begun(job: Job, pods: Sequence[Pod]) -> bool:
    """A trainer runs, or ran, or that is unknown."""
    if not pods:
        return bool(job.status.active)
    return not all(pod.status.phase == "Pending" and waits_for(pod) for pod in pods)


def job_progress(job: Job, pods: Sequence[Pod], refusal: str = "") -> Cause:
    """Why there is no artifact yet, as specific as possible. Never called for a Job that succeeded.
    `refusal`: the API server's message if it was refused a pod.
    """
    name, ends = job.name, list(_ends(pods))
    if failed := failure_of(job):
        return _why_failed(failed, ends)
    if job.spec.suspend:  # as queueing systems do until there is room; they resume it
        return Cause(Reason.PENDING, f"Job {name} is suspended (spec.suspend); it goes on once that is false")
    for pod in pods:
        if why := waits_for(pod):
            return _with_next(why.reason, f"pod {pod.name}: {why.message}")
    so_far = "".join(f"; {end.message}" for end in ends)
    if job.status.active:
        return Cause(Reason.TRAINING, f"Job {name} runs{so_far}")
    if refusal and not ends:
        refused = pod_refused(refusal)
        return _with_next(refused.reason, f"Job {name} gets no pod: {refused.message}")
    waits = "is about to try again" if ends else "waits for a place to run"
    return Cause(Reason.PENDING, f"Job {name} {waits}{so_far}")


def pod_refused(words: str) -> Cause:
    """Why a controller gets no pod, from the words of the API server."""
    text = _MAKING.sub("", words)
    return Cause(Reason.QUOTA_EXCEEDED if re.match("(exceeded|failed) quota", text) else Reason.POD_REFUSED, text)


def _why_failed(failed: ObservedCondition, ends: Sequence[Cause]) -> Cause:
    """The Job's own reason if it stopped its pods, else the first that a pod gives."""
    reason = next((e.reason for e in ends if e.reason is not Reason.TRAINING_FAILED), Reason.TRAINING_FAILED)
    if failed.reason == "DeadlineExceeded":
        reason = Reason.DEADLINE_EXCEEDED
    why = failed.message or failed.reason or "no reason given"
    return _with_next(reason, "; ".join((why, *(end.message for end in ends))))


def _with_next(reason: Reason, text: str) -> Cause:
    return Cause(reason, f"{text}; {NEXT[reason]}" if reason in NEXT else text)


def waits_for(pod: Pod) -> Cause | None:
    """Why a pod does not run, None if it does or is about to."""
    if pod.is_deleting:
        return None
    for container in pod.status.container_statuses:
        waiting = container.state.waiting
        if waiting and waiting.reason not in ("", "ContainerCreating", "PodInitializing"):
            reason = Reason.IMAGE_PULL_FAILED if waiting.reason in PULLING else Reason.PENDING
            return Cause(reason, _text(waiting.reason, waiting.message))
    if found := find_condition(pod.status.conditions, "PodScheduled", "False"):
        reason = Reason.UNSCHEDULABLE if found.reason == "Unschedulable" else Reason.PENDING
        return Cause(reason, _text(found.reason, found.message))
    return None


def _ends(pods: Iterable[Pod]) -> Iterator[Cause]:
    """How pods ended, if that says more than an exit code: OOMKilled, Evicted, what the trainer could not hand back.
    Pods that ended in the same way are counted.
    """
    names: dict[Cause, list[str]] = {}
    for pod in pods:
        for end in _ends_of(pod):
            names.setdefault(end, []).append(pod.name)
    for end, ended in names.items():
        pods_ended = f"pod {ended[0]}" if len(ended) == 1 else f"{len(ended)} pods"
        yield Cause(end.reason, f"{pods_ended}{end.message}")


def _ends_of(pod: Pod) -> Iterator[Cause]:
    """Each with the text that follows the pod's name."""
    if pod.status.reason:
        reason = _ENDS.get(pod.status.reason, Reason.TRAINING_FAILED)
        yield Cause(reason, f": {_text(pod.status.reason, pod.status.message)}")
    for container in pod.status.container_statuses:
        if (ended := container.state.terminated) is None:
            continue
        last = (ended.message.strip().splitlines() or [""])[-1]
        if ended.exit_code == EXIT_UNREACHABLE:
            cause = last.removeprefix(UNREACHABLE) or f"exit code {EXIT_UNREACHABLE}"
            text = f" could not reach the API server ({cause}): check NetworkPolicies"
            yield Cause(Reason.RESULT_REFUSED, text)
        elif ended.exit_code == EXIT_UNREPORTED:
            said = last or f"exit code {EXIT_UNREPORTED}"
            yield Cause(Reason.RESULT_REFUSED, f": {said}; let linplane-trainer patch that ConfigMap")
        elif ended.reason not in ("", "Error", "Completed"):
            reason = _ENDS.get(ended.reason, Reason.TRAINING_FAILED)
            yield Cause(reason, f": {_text(ended.reason, last)}")


def _text(reason: str, message: str) -> str:
    return ": ".join(filter(None, (reason, message))).rstrip(": ")
