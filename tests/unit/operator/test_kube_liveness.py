"""Liveness: each stuck part is named, and an API server that is away makes none stuck."""

import asyncio
import random
from typing import Any

import pytest

from linplane_api.api_access import connection_error
from linplane_api.kinds import LINEAR_MODEL
from linplane_operator.kube.informer import Informer
from linplane_operator.kube.liveness import Activity, Limits, unhealthy
from linplane_operator.kube.resync import Resync
from linplane_operator.kube.watch_lag import Lag, WatchLag
from linplane_operator.kube.watched_kinds import WATCHED
from linplane_operator.observe.cache import ObjectCache
from linplane_operator.runtime.workqueue import WorkQueue
from unit.operator.virtual_time import run_virtually

LIMITS = Limits()
KEY = ("LinearModel", "n", "m-v1")


@pytest.mark.parametrize(
    ("signs", "part"),
    [
        (Activity(queue_stalled=601), "queue"),
        (Activity(longest_running=601), "queue"),
        (Activity(resync_idle=301), "resync"),
        (Activity(lagging={"LinearModel": Lag(151, 2)}), "watch of LinearModel"),
    ],
)
def test_unhealthy_names_each_stuck_part(signs: Activity, part: str) -> None:
    (problem,) = unhealthy(signs, LIMITS)
    assert problem.startswith(part)


@pytest.mark.parametrize(
    "signs",
    [
        Activity(),
        Activity(queue_stalled=599, longest_running=599, resync_idle=299),
        Activity(lagging={"LinearModel": Lag(7200, 1)}),  # lists do not come through either
        Activity(lagging={"LinearModel": Lag(60, 5)}),
    ],
)
def test_unhealthy_is_empty_below_the_limits(signs: Activity) -> None:
    assert unhealthy(signs, LIMITS) == []


class Away:
    """An API server that answers nothing, after as long as a call may take."""

    async def list(self, *_: Any, **__: Any) -> Any:
        await asyncio.sleep(15)
        raise connection_error(TimeoutError())
        yield


def test_api_server_away_for_hours_is_healthy() -> None:
    """A real queue whose every key fails, and a real resync whose every list does."""

    async def main() -> set[str]:
        loop, cache = asyncio.get_running_loop(), ObjectCache()

        async def fails(_key: Any) -> None:
            await asyncio.sleep(15)
            raise connection_error(TimeoutError())

        queue = WorkQueue(fails, lambda *_: None, random.Random(1).random)
        watch_lag = WatchLag(WATCHED, (), loop.time)
        resync = Resync(Away(), cache, Informer(cache, queue.add), watch_lag, clock=loop.time)  # type: ignore[arg-type]
        parts = (queue.run(4), resync.run(lambda: queue.add(("LinearModel", "n", f"m-v{n}") for n in range(1000))))
        tasks = [asyncio.ensure_future(part) for part in parts]
        problems: set[str] = set()
        for _ in range(3 * 360):
            await asyncio.sleep(10)
            signs = Activity(queue.stalled, queue.longest_running, resync.idle, watch_lag.lagging())
            problems |= set(unhealthy(signs, LIMITS))
        for task in tasks:
            task.cancel()
        return problems

    assert run_virtually(main()) == set()


def test_worker_that_hangs_is_unhealthy() -> None:
    """One of four workers; the others continue."""

    async def main() -> list[str]:
        async def work(key: Any) -> None:
            if key == KEY:
                await asyncio.Event().wait()

        queue = WorkQueue(work, lambda *_: None, random.Random(1).random)
        task = asyncio.ensure_future(queue.run(4))
        queue.add([KEY])
        await asyncio.sleep(700)
        found = unhealthy(Activity(queue.stalled, queue.longest_running), LIMITS)
        task.cancel()
        return found

    (problem,) = run_virtually(main())
    assert problem == "queue: a worker has been busy with one key for 700 s"


def test_resync_that_hangs_is_unhealthy() -> None:
    """In a call that no limit ends."""

    class Stuck:
        async def list(self, *_: Any, **__: Any) -> Any:
            await asyncio.Event().wait()
            yield

    async def main() -> list[str]:
        loop, cache = asyncio.get_running_loop(), ObjectCache()
        informer = Informer(cache, lambda _: None)
        watch_lag = WatchLag([LINEAR_MODEL], (), loop.time)
        resync = Resync(Stuck(), cache, informer, watch_lag, clock=loop.time)  # type: ignore[arg-type]
        task = asyncio.ensure_future(resync.run(lambda: None))
        await asyncio.sleep(400)
        found = unhealthy(Activity(resync_idle=resync.idle), LIMITS)
        task.cancel()
        return found

    assert run_virtually(main()) == ["resync: no call for 340 s"]
