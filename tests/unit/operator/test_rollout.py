"""The progress of a ModelServer's pods, quoted from its Deployment and pods."""

from datetime import timedelta
from typing import Any

import pytest

from linplane_api.conditions import Reason
from linplane_operator.compile.observed import Deployment, Pod, observe
from linplane_operator.compile.rollout import Rollout, rollout_of
from unit.operator.builders import NOW, Object, observed, pod, replicas, report

STARTED = "2026-03-01T11:59:54Z"  # 6 s before NOW
LIMIT = "minimum cpu usage per Container is 150m, but request is 100m"
SILENT = "runs and has not reported: can it reach the API server? (NetworkPolicy)"


def deployment(
    wanted: int = 2, *, generation: int = 1, conditions: list[Object] | None = None, **counts: int
) -> Object:
    """A Deployment; `counts` are those of its status: total, updated, ready, seen."""
    total = counts.get("total", wanted)
    status: Object = {
        "observedGeneration": counts.get("seen", generation),
        "replicas": total,
        "updatedReplicas": counts.get("updated", total),
        "readyReplicas": counts.get("ready", 0),
        "conditions": conditions or [],
    }
    return {"metadata": {"name": "d", "generation": generation}, "spec": {"replicas": wanted}, "status": status}


def waiting(name: str, reason: str, message: str = "", created: str = "2026-03-01T11:00:00Z", **fields: Any) -> Object:
    """A server's pod whose container waits."""
    container = {
        "name": "server",
        "image": "registry.example/bad:1",
        "state": {"waiting": {"reason": reason}},
        **fields,
    }
    container["state"]["waiting"]["message"] = message
    body = pod(name, ready=False, phase="Pending", containerStatuses=[container])
    body["metadata"]["creationTimestamp"] = created
    return body


def running(name: str = "p1") -> Object:
    """A pod that has run for six seconds and is not ready."""
    container = {"name": "server", "state": {"running": {"startedAt": STARTED}}}
    return pod(name, ready=False, containerStatuses=[container])


def failed(kind: str, status: str, reason: str, message: str) -> list[Object]:
    """A condition of the Deployment."""
    return [{"type": kind, "status": status, "reason": reason, "message": message}]


def rollout(deployment: Object | None, *pods: Object, reports: tuple[Object, ...] = (), seconds: float = 0) -> Rollout:
    """The rollout, so many seconds after NOW."""
    found = observe(Deployment, deployment) if deployment else None
    return rollout_of(found, observed(Pod, *pods), replicas(pods, reports), NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("counts", "reason", "message"),
    [
        ({"ready": 2}, Reason.READY, "2 of 2 pods ready"),
        ({"ready": 1}, Reason.REPLICAS_BEHIND, "1 of 2 pods ready"),
        ({"ready": 0}, Reason.NO_REPLICAS, "0 of 2 pods ready"),
        ({"total": 0}, Reason.NO_REPLICAS, "0 of 2 pods ready"),
        (
            {"total": 3, "updated": 1, "ready": 2},
            Reason.REPLICAS_BEHIND,
            "0 of 2 updated pods ready; 2 earlier pods go on serving",
        ),
        (
            {"total": 3, "updated": 2, "ready": 3},
            Reason.REPLICAS_BEHIND,
            "2 of 2 updated pods ready; 1 earlier pod goes on serving",
        ),
        (
            {"ready": 2, "generation": 2, "seen": 1},
            Reason.REPLICAS_BEHIND,
            "0 of 2 updated pods ready; 2 earlier pods go on serving",
        ),
        ({"wanted": 0, "ready": 0}, Reason.NO_REPLICAS, "replicas is 0"),
    ],
)
def test_pods_are_counted(counts: dict[str, int], reason: Reason, message: str) -> None:
    found = rollout(deployment(**counts))
    assert (found.cause.reason, found.cause.message, found.requeue_after) == (reason, message, None)
    assert found.wanted == counts.get("wanted", found.wanted)


def test_rollout_without_a_deployment_has_no_replicas() -> None:
    assert rollout(None).cause.reason is Reason.NO_REPLICAS


def test_image_that_cannot_be_pulled_is_named() -> None:
    """The newest pod counts, since it belongs to the update."""
    pods = (
        waiting("a", "CrashLoopBackOff", created="2026-03-01T10:00:00Z"),
        waiting("b", "ImagePullBackOff", "Back-off"),
    )
    found = rollout(deployment(), *pods)
    assert found.cause.reason is Reason.IMAGE_PULL_FAILED
    assert found.cause.message == "0 of 2 pods ready: ImagePullBackOff registry.example/bad:1"


@pytest.mark.parametrize(
    ("words", "reason"),
    [(LIMIT, Reason.POD_REFUSED), ("exceeded quota: q, requested: pods=1", Reason.QUOTA_EXCEEDED)],
)
def test_refusal_has_the_message_of_the_api_server(words: str, reason: Reason) -> None:
    message = f'pods "linplane-server-default-x" is forbidden: {words}'
    found = rollout(deployment(total=0, conditions=failed("ReplicaFailure", "True", "FailedCreate", message)))
    assert (found.cause.reason, found.cause.message) == (reason, f"0 of 2 pods ready: {words}")


def test_unschedulable_pod_is_named() -> None:
    body = pod(ready=False, phase="Pending", containerStatuses=[])
    no_node = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes available"}
    body["status"]["conditions"] = [no_node]
    found = rollout(deployment(), body)
    assert (found.cause.reason, found.cause.message) == (
        Reason.UNSCHEDULABLE,
        "0 of 2 pods ready: Unschedulable: 0/1 nodes available",
    )


def test_restarting_container_says_how_it_ended() -> None:
    ended = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    found = rollout(deployment(), waiting("a", "CrashLoopBackOff", "back-off 10s", lastState=ended))
    assert found.cause.reason is Reason.NO_REPLICAS
    assert found.cause.message.endswith("CrashLoopBackOff: back-off 10s (it ended by OOMKilled, exit code 137)")


def test_failed_rollout_names_its_cause() -> None:
    words = 'ReplicaSet "r" has timed out progressing.'
    gave_up = failed("Progressing", "False", "ProgressDeadlineExceeded", words)
    found = rollout(deployment(conditions=gave_up), waiting("a", "ErrImagePull"))
    assert found.cause.reason is Reason.PROGRESS_DEADLINE_EXCEEDED
    assert found.cause.message == f"0 of 2 pods ready: ErrImagePull registry.example/bad:1 ({words})"
    assert rollout(deployment(ready=2, conditions=gave_up)).cause.reason is Reason.READY


@pytest.mark.parametrize(
    "conditions",
    [
        failed("Progressing", "False", "ProgressDeadlineExceeded", "timed out"),
        failed("ReplicaFailure", "True", "FailedCreate", "pods is forbidden: exceeded quota: q"),
    ],
)
def test_conditions_of_an_earlier_generation_do_not_count(conditions: list[Object]) -> None:
    """The spec was just corrected, and the Deployment's controller has not seen it yet."""
    found = rollout(deployment(generation=2, seen=1, total=3, ready=2, conditions=conditions))
    message = "0 of 2 updated pods ready; 2 earlier pods go on serving"
    assert (found.cause.reason, found.cause.message) == (Reason.REPLICAS_BEHIND, message)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"total": 3, "updated": 1, "ready": 1}, "; 1 earlier pod goes on serving"),
        ({"total": 4, "updated": 1, "ready": 2}, "; 2 earlier pods go on serving"),
        ({"total": 3, "updated": 1, "ready": 0}, ""),
    ],
)
def test_earlier_pods_count_as_serving_only_if_ready(counts: dict[str, int], words: str) -> None:
    assert rollout(deployment(**counts)).cause.message == f"0 of 2 updated pods ready{words}"


def test_pod_without_a_report_is_named_after_ten_seconds() -> None:
    early = rollout(deployment(), running())
    assert (early.cause.message, early.requeue_after) == ("0 of 2 pods ready", 4.0)
    late = rollout(deployment(), running(), seconds=4)
    assert (late.cause.message, late.requeue_after) == (f"0 of 2 pods ready: pod p1 {SILENT}", None)
    heard = rollout(deployment(), running(), reports=(report(startedAt=STARTED),), seconds=4)
    assert (heard.cause.message, heard.requeue_after) == ("0 of 2 pods ready", None)
