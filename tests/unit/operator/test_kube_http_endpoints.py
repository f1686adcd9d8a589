"""The endpoints for kubelet and Prometheus, with a real socket."""

import asyncio
import random
from typing import Any

import aiohttp
from prometheus_client import CollectorRegistry, Gauge

from linplane_operator.kube.http_endpoints import serving
from linplane_operator.kube.liveness import Activity, Limits, unhealthy
from linplane_operator.runtime.workqueue import WorkQueue


async def fetch(port: int, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status, await answer.text()


async def test_healthz_is_500_and_names_a_stuck_queue() -> None:
    """A real queue: its only worker is at a key that never ends, and another waits."""

    async def forever(_key: Any) -> None:
        await asyncio.Event().wait()

    queue = WorkQueue(forever, lambda *_: None, random.Random(1).random)
    limits = Limits(queue=0.05)
    task = asyncio.ensure_future(queue.run())

    def problems() -> list[str]:
        return unhealthy(Activity(queue.stalled, queue.longest_running), limits)

    registry = CollectorRegistry()
    async with serving("127.0.0.1", 0, unhealthy=problems, unready=str, registry=registry) as port:
        assert await fetch(port, "/healthz") == (200, "ok\n")
        queue.add([("LinearModel", "n", name) for name in "ab"])
        async with asyncio.timeout(10):
            while (answer := await fetch(port, "/healthz"))[0] == 200:
                await asyncio.sleep(0.01)
        assert answer[0] == 500
        assert "queue: " in answer[1]
    task.cancel()


async def test_readyz_is_200_once_synced_and_metrics_from_the_start() -> None:
    registry, synced = CollectorRegistry(), []
    Gauge("one", "One.", registry=registry).set(1)
    async with serving(
        "127.0.0.1", 0, unhealthy=list, unready=lambda: "" if synced else "waits", registry=registry
    ) as port:
        assert (await fetch(port, "/readyz"))[0] == 503
        assert "one 1.0" in (await fetch(port, "/metrics"))[1]
        synced.append(1)
        assert (await fetch(port, "/readyz"))[0] == 200
