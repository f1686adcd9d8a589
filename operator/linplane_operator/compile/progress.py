"""How a training Job does, as the Job and its pods tell."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from linplane_api.conditions import Reason

from .objects import name_of, status_of

KEPT_SECONDS = 3600.0  # how long a Job stays whose artifact is sealed


def seconds_kept(job: Mapping[str, Any], now: datetime) -> float | None:
    """How long a Job that has ended is to stay, from 0 down where that is over; None where it has not ended."""
    ended = job_condition(job, "Complete") or job_condition(job, "Failed")
    if ended is None:
        return None
    text = status_of(job).get("completionTime") or ended.get("lastTransitionTime") or ""
    try:
        return KEPT_SECONDS - (now - datetime.fromisoformat(text)).total_seconds()
    except (ValueError, TypeError):
        return None


def job_condition(job: Mapping[str, Any], kind: str) -> dict[str, Any] | None:
    """The Job's condition of that type, where it is True."""
    for found in status_of(job).get("conditions") or ():
        if found.get("type") == kind and found.get("status") == "True":
            return dict(found)
    return None


def job_progress(job: Mapping[str, Any], pods: Iterable[Mapping[str, Any]]) -> tuple[Reason, str]:
    """Why there is no artifact yet, as specific as the Job and its pods tell. Never called for a Job that succeeded."""
    failed = job_condition(job, "Failed")
    if failed:
        why = failed.get("message") or failed.get("reason") or "no reason given"
        return Reason.TRAINING_FAILED, "; ".join((why, *_ends(pods)))
    for pod in pods:
        if why := _waits_for(pod):
            return Reason.PENDING, f"pod {name_of(pod)}: {why}"
    if not status_of(job).get("active"):
        return Reason.PENDING, f"Job {name_of(job)} waits for a place to run"
    return Reason.TRAINING, f"Job {name_of(job)} runs"


def _waits_for(pod: Mapping[str, Any]) -> str:
    """Why a pod does not run, empty where it does or is about to."""
    for status in status_of(pod).get("containerStatuses") or ():
        waiting = (status.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
            return _told(waiting)
    for found in status_of(pod).get("conditions") or ():
        if found.get("type") == "PodScheduled" and found.get("status") == "False":
            return _told(found)
    return ""


def _ends(pods: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """How pods ended, where that says more than an exit code: OOMKilled, Evicted."""
    for pod in pods:
        if status_of(pod).get("reason"):
            yield f"pod {name_of(pod)}: {_told(status_of(pod))}"
        for status in status_of(pod).get("containerStatuses") or ():
            ended = (status.get("state") or {}).get("terminated") or {}
            if ended.get("reason") not in (None, "Error", "Completed"):
                yield f"pod {name_of(pod)}: {_told(ended)}"


def _told(said: Mapping[str, Any]) -> str:
    return f"{said.get('reason')}: {said.get('message') or ''}".rstrip(": ")
