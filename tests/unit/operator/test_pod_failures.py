"""Jobs without a pod: when and how often their Events are listed, and the message that results."""

from datetime import timedelta
from typing import Any

import pytest

from linplane_operator.compile.job_progress import seconds_to_pod
from linplane_operator.compile.observed import Job, Pod, observe
from linplane_operator.compile.settings import POD_SECONDS
from linplane_operator.kube.event_recorder import failed_creates
from linplane_operator.kube.http import HttpClient
from linplane_operator.local.client import LocalClient
from linplane_operator.observe.pod_failures import EVERY_SECONDS, PodFailures
from unit.operator.builders import NOW, Object, observed, with_meta
from unit.operator.planning import COMPLETE, FAILED, job, model, plan, result

MADE = with_meta(job(model()), creationTimestamp="2026-03-01T11:59:58Z", namespace="n")


class RefusingClient(LocalClient):
    """A cluster in which one Job was refused."""

    def __init__(self) -> None:
        self.queried: list[str] = []

    async def pod_failures(self, namespace: str) -> dict[str, str]:
        self.queried.append(namespace)
        return {"job": f"no, the {len(self.queried)}th time"}


async def test_namespace_is_queried_at_intervals() -> None:
    cluster, now = RefusingClient(), NOW
    failures = PodFailures(cluster, lambda: now)
    assert [await failures.of(observe(Job, MADE)) for _ in range(3)] == ["no, the 1th time"] * 3
    assert await failures.of(observe(Job, with_meta(MADE, uid="another"))) == ""
    assert cluster.queried == ["n"]
    now += timedelta(seconds=EVERY_SECONDS)
    assert await failures.of(observe(Job, MADE)) == "no, the 2th time"
    assert await failures.of(observe(Job, with_meta(MADE, namespace="m"))) == "no, the 3th time"
    assert cluster.queried == ["n", "n", "m"]


@pytest.mark.parametrize(
    ("found", "pods", "expected"),
    [
        (MADE, [], POD_SECONDS - 2),
        (MADE, [{}], None),
        ({**MADE, "status": {"active": 1}}, [], None),
        ({**MADE, "status": {"conditions": [FAILED]}}, [], None),
        ({**MADE, "status": {"conditions": [COMPLETE]}}, [], None),
        ({**MADE, "spec": {"suspend": True}}, [], None),
        (with_meta(MADE, creationTimestamp=None), [], None),
    ],
)
def test_job_is_given_a_moment_for_its_pod(found: Object, pods: list[Object], expected: float | None) -> None:
    assert seconds_to_pod(observe(Job, found), observed(Pod, *pods), NOW) == expected


def test_job_is_requeued_until_it_has_a_pod() -> None:
    """After a short delay, then periodically."""
    around: dict[str, Any] = {"artifacts": [result(model())]}
    assert plan(model(), jobs=[MADE], **around).requeue_after == POD_SECONDS - 2
    late = with_meta(MADE, creationTimestamp="2026-03-01T11:00:00Z")
    assert plan(model(), jobs=[late], **around).requeue_after == EVERY_SECONDS
    assert plan(model(), jobs=[late], pods=[{"metadata": {"name": "p"}}], **around).requeue_after is None


class Api(HttpClient):
    """Gives these Events."""

    def __init__(self, *items: Object) -> None:
        self.items = items

    async def call(self, method: str, path: str, **given: Any) -> Object:
        assert (method, path) == ("GET", "/apis/events.k8s.io/v1/namespaces/n/events")
        assert given["query"]["fieldSelector"] == "reason=FailedCreate,regarding.kind=Job"
        return {"items": list(self.items)}


def event(note: str, uid: str = "job", **times: Any) -> Object:
    return {"metadata": {"name": note, "namespace": "n"}, "regarding": {"uid": uid}, "note": note, **times}


async def test_latest_event_of_each_job_counts() -> None:
    """By the time in either of the two Event APIs."""
    old = event("old", deprecatedLastTimestamp="2026-03-01T11:00:00Z")
    series = event("series", series={"lastObservedTime": "2026-03-01T11:02:00.000000Z"}, eventTime="2026-03-01T10:00Z")
    new = event("new", deprecatedLastTimestamp="2026-03-01T11:01:00Z")
    other = event("other", "another", eventTime="2026-03-01T09:00:00.000000Z")
    assert await failed_creates(Api(old, new, other), "n") == {"job": "new", "another": "other"}
    assert await failed_creates(Api(series, new), "n") == {"job": "series"}
    assert await failed_creates(Api(), "n") == {}
