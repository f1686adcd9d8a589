"""Statuses of pods that are not run, as a scheduler or a kubelet writes them.

From Kubernetes 1.34: pkg/scheduler/schedule_one.go and framework/types.go (FitError), pkg/kubelet/images (types.go,
image_manager.go), pkg/kubelet/kuberuntime (OOMKilled, and the log's tail as termination message),
pkg/kubelet/eviction (helpers.go, eviction_manager.go), pkg/kubelet/status/generate.go (Ready and ContainersReady).
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

Object = dict[str, Any]

FakeStatus = Callable[[Object], Object | None]
"""The status of a pod that should not run, from the pod; None: let it run."""


def now(ahead: float = 0.0) -> str:
    """As Kubernetes writes times; `ahead` seconds later than it is."""
    return (datetime.now(UTC) + timedelta(seconds=ahead)).strftime("%Y-%m-%dT%H:%M:%SZ")


def unschedulable(pod: Object) -> Object:
    """By the scheduler: no node takes it, so it has none."""
    message = (
        "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. preemption: 0/1 nodes are "
        "available: 1 Preemption is not helpful for scheduling."
    )
    return {
        "phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}],
    }


def image_pull(pod: Object) -> Object:
    """After the first try, while the kubelet waits for the next."""
    image = pod["spec"]["containers"][0]["image"]
    message = (
        f'Back-off pulling image "{image}": ErrImagePull: failed to pull and unpack image "{image}": failed to resolve '
        f'reference "{image}": {image}: not found'
    )
    waiting = {"reason": "ImagePullBackOff", "message": message}
    return _status(pod, "Pending", {"waiting": waiting}, "ContainersNotReady")


def out_of_memory(pod: Object) -> Object:
    """The kernel killed the container's first process."""
    return _status(pod, "Failed", _terminated("OOMKilled"), "PodFailed")


def over_its_disk(pod: Object) -> Object:
    """Evicted for what it wrote itself: that counts as a failure."""
    status = _status(pod, "Failed", _terminated("Error"), "PodFailed")
    return {**status, "reason": "Evicted", "message": 'Usage of EmptyDir volume "tmp" exceeds the limit "64Mi". '}


def node_pressure(pod: Object) -> Object:
    """Evicted under node pressure: the condition says that the pod is not the cause."""
    message = (
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 61200Ki. Container trainer was "
        "using 203408Ki, request is 0, has larger consumption of memory. "
    )
    status = _status(pod, "Failed", _terminated("Error"), "PodFailed")
    target = {"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet", "message": message}
    conditions = [*status["conditions"], {**target, "lastTransitionTime": now()}]
    return {**status, "conditions": conditions, "reason": "Evicted", "message": message}


def _terminated(reason: str) -> Object:
    return {"terminated": {"exitCode": 137, "reason": reason, "startedAt": now(), "finishedAt": now()}}


def _status(pod: Object, phase: str, state: Object, why: str) -> Object:
    spec = pod["spec"]["containers"][0]
    unready = {"status": "False", "reason": why, "lastTransitionTime": now()}
    held = [{"type": kind, "status": "True", "lastTransitionTime": now()} for kind in ("PodScheduled", "Initialized")]
    container = {"name": spec["name"], "image": spec["image"], "imageID": "", "ready": False, "restartCount": 0}
    return {
        "phase": phase,
        "startTime": now(),
        "conditions": [*held, {"type": "Ready", **unready}, {"type": "ContainersReady", **unready}],
        "containerStatuses": [{**container, "started": False, "state": state}],
    }
