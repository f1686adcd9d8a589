"""The ReplicaReport: owned by this pod, current, within the rate limit, through failures of the API server."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from linplane_api.report import Lacking
from linplane_server.cluster import report as module
from linplane_server.cluster.report import ClusterReport, Replica
from linplane_server.state.snapshot import Snapshot
from unit.server.fake_api import NAMESPACE, REPORTS, FakeApi, Reply, failure, fake_api
from unit.server.test_cluster_source import until

REPORT = f"{REPORTS}/pod-1"
PATCH = f"PATCH {REPORT}"


@contextlib.asynccontextmanager
async def writing(api: FakeApi, lacking: Sequence[Lacking] = ()) -> AsyncIterator[ClusterReport]:
    replica = Replica("default", "pod-1", "uid-of-pod", "2026-01-01T00:00:00Z")
    report = ClusterReport(api.access, replica, lambda: lacking)
    task = asyncio.create_task(report.run())
    try:
        yield report
    finally:
        assert not task.done(), task
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def state(sequence: int, **rejected: str) -> Snapshot:
    return Snapshot("uid-1", sequence, {}, rejected)


def written(api: FakeApi) -> Any:
    return api.objects.get(REPORT, {}).get("report", {}).get("sequence")


async def test_report_is_applied_as_the_pods_own() -> None:
    async with fake_api() as api, writing(api) as report:
        await asyncio.sleep(0.02)
        assert not api.received, "nothing to acknowledge yet"
        await report(state(7, a="why"))
        await until(lambda: written(api))
        request = api.received[0]
        assert request.headers["content-type"] == "application/apply-patch+yaml"
        assert request.query == {"fieldManager": "linplane-server", "force": "true"}
        assert json.loads(request.body) == {
            "apiVersion": "linplane.dev/v1alpha1",
            "kind": "ReplicaReport",
            "metadata": {
                "name": "pod-1",
                "namespace": NAMESPACE,
                "labels": {"linplane.dev/server": "default"},
                "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "pod-1", "uid": "uid-of-pod"}],
            },
            "report": {
                "serverName": "default", "podUID": "uid-of-pod", "startedAt": "2026-01-01T00:00:00Z",
                "configMapUID": "uid-1", "sequence": 7, "routes": 0, "rejectedCount": 1,
                "rejected": [{"route": "a", "reason": "why"}], "formats": [1],
            },
        }  # fmt: skip


async def test_report_has_the_missing_features_and_is_written_again_when_they_grow() -> None:
    lacking: list[Lacking] = []
    async with fake_api() as api, writing(api, lacking) as report:
        await report.rewrite()
        await asyncio.sleep(0.02)
        assert not api.received, "nothing to acknowledge yet"
        await report(state(7))
        await until(lambda: written(api))
        assert "lacking" not in api.objects[REPORT]["report"], "an older CRD would refuse it"
        lacking.append(Lacking("r", "v2", "age", 3))
        await report.rewrite()
        await until(lambda: api.objects[REPORT]["report"].get("lacking"))
        assert api.objects[REPORT]["report"]["lacking"] == [
            {"route": "r", "version": "v2", "feature": "age", "count": 3}
        ]
        assert written(api) == 7


async def test_report_is_written_at_once_in_a_burst_and_then_each_second() -> None:
    async with fake_api() as api, writing(api) as report:
        for sequence in range(1, 6):
            await report(state(sequence))
            await until(lambda sequence=sequence: written(api) == sequence)
        begin = asyncio.get_running_loop().time()
        for sequence in range(6, 30):
            await report(state(sequence))
            await asyncio.sleep(0.01)
        assert api.count(PATCH) == 5
        await until(lambda: written(api) == 29)
        assert 0.5 < asyncio.get_running_loop().time() - begin < 1.5
        assert api.count(PATCH) == 6


async def test_report_is_retried_until_it_is_written_and_serving_does_not_wait() -> None:
    async with fake_api() as api, writing(api) as report:
        api.answers[PATCH] = [failure(403), failure(500), Reply(raw=b"")]
        async with asyncio.timeout(0.1):
            await report(state(1))
        await until(lambda: written(api) == 1)
        assert api.count(PATCH) == 4
        await api.stop()
        await report(state(2))
        await asyncio.sleep(0.1)
        await api.start()
        await until(lambda: written(api) == 2)


async def test_report_that_changes_during_a_write_is_written_too() -> None:
    async with fake_api() as api, writing(api) as report:
        api.answers[PATCH] = [Reply(200, {}, wait=0.1)]
        await report(state(1))
        await until(lambda: api.received)
        await report(state(2))
        await until(lambda: written(api) == 2)


async def test_connection_is_reused_and_replaced_when_the_api_server_closes_it() -> None:
    async with fake_api() as api, writing(api) as report:
        await report(state(1))
        await until(lambda: written(api) == 1)
        await api.stop()
        await api.start()
        await report(state(2))
        await until(lambda: written(api) == 2)
        assert api.count(PATCH) == 2


async def test_report_that_was_deleted_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REFRESH", 0.05)
    async with fake_api() as api, writing(api) as report:
        await report(state(1))
        await until(lambda: written(api))
        del api.objects[REPORT]
        await until(lambda: written(api))
