"""The operator keeps running, whatever the API server answers to its lists and watches."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime
from typing import Any

import kopf
import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer
from kubernetes.aio.client import ApiClient, Configuration

from linplane_api.api_access import collection_path
from linplane_api.kinds import CONFIG_MAP, OURS, Kind
from linplane_api.timing import Backoff
from linplane_operator.kube.kopf import supervisor
from linplane_operator.kube.kopf.supervisor import STEADY_SECONDS, Supervisor
from linplane_operator.kube.operator import Operator
from linplane_operator.kube.options import Options
from linplane_operator.kube.startup import Startup
from linplane_operator.kube.watched_kinds import WATCHED


class Kopf:
    """Ends by each of these errors in turn, then works until it is stopped."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.runs = 0
        self.child: asyncio.Task[Any] | None = None

    async def __call__(self, stop: asyncio.Event) -> Collection[asyncio.Task[Any]]:
        self.runs += 1
        return [asyncio.ensure_future(self._work(stop))]

    async def _work(self, stop: asyncio.Event) -> None:
        self.child = asyncio.ensure_future(asyncio.sleep(0))
        if self.errors:
            raise self.errors.pop(0)
        await stop.wait()


async def until(check: Any) -> None:
    async with asyncio.timeout(10):
        while not check():
            await asyncio.sleep(0.01)


@pytest.fixture
async def stop() -> AsyncIterator[asyncio.Event]:
    yield asyncio.Event()
    asyncio.get_running_loop().set_task_factory(None)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().remove_signal_handler(number)


async def test_supervisor_restarts_kopf_and_reports_why_until_it_lasts(stop: asyncio.Event) -> None:
    now = [0.0]
    work = Kopf(RuntimeError("etcdserver: no leader"), kopf.TemporaryError("403"))
    kopf_again = Supervisor(work, lambda: now[0], Backoff(0.0, 0.0))
    assert kopf_again.problem == ""
    running = asyncio.ensure_future(kopf_again.run(stop))
    await until(lambda: work.runs == 3)
    assert kopf_again.problem == "the watches stopped: TemporaryError: 403"
    now[0] += STEADY_SECONDS
    assert kopf_again.problem == ""
    assert not running.done()
    stop.set()
    await asyncio.wait_for(running, 10)
    assert work.runs == 3


async def test_supervisor_stop_cancels_only_the_tasks_of_kopf(
    stop: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kopf cancels every task that is not to be ignored."""
    run, ignored = kopf.run_tasks, []

    async def run_tasks(tasks: Any, **given: Any) -> None:
        ignored.append(given["ignored"])
        await run(tasks, **given)

    monkeypatch.setattr(kopf, "run_tasks", run_tasks)
    work = Kopf()
    running = asyncio.ensure_future(Supervisor(work, lambda: 0.0).run(stop))
    await until(lambda: work.child)
    others = asyncio.ensure_future(stop.wait())
    assert others in ignored[0]
    assert running in ignored[0]
    assert work.child not in ignored[0]
    stop.set()
    await asyncio.wait_for(running, 10)
    assert await others


async def test_supervisor_survives_a_task_that_ignores_cancellation(
    stop: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "END_SECONDS", 0.05)
    work, stubborn = Kopf(RuntimeError("500")), [3]

    async def hold_on() -> None:
        while stubborn[0]:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                stubborn[0] -= 1

    async def spawn(stop: asyncio.Event) -> Collection[asyncio.Task[Any]]:
        held = [asyncio.ensure_future(hold_on())] if work.runs == 0 else []
        return [*(await work(stop)), *held]

    running = asyncio.ensure_future(Supervisor(spawn, lambda: 0.0, Backoff(0.0, 0.0)).run(stop))
    await until(lambda: work.runs == 2)
    assert stubborn == [0]
    stop.set()
    await asyncio.wait_for(running, 10)


@pytest.mark.parametrize("pause", [0.0, 60.0])
async def test_supervisor_stops_at_sigterm_while_running_and_pausing(stop: asyncio.Event, pause: float) -> None:
    """Whatever handlers Kopf puts in place."""
    work = Kopf(*([RuntimeError("500")] if pause else []))

    async def spawn(stop: asyncio.Event) -> Collection[asyncio.Task[Any]]:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: None)
        return await work(stop)

    kopf_again = Supervisor(spawn, lambda: 0.0, Backoff(pause, pause))
    running = asyncio.ensure_future(kopf_again.run(stop))
    await until(lambda: kopf_again.problem or (work.child and not pause))
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, 10)
    assert stop.is_set()


@pytest.mark.parametrize("refusal", [403, 410, 500, 503])
async def test_startup_retries_refused_lists_and_reports_them(refusal: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linplane_operator.kube.startup.BACKOFF", Backoff(0.0, 0.0))
    refused = asyncio.Event()

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "POST":
            return web.json_response({"status": {"allowed": True}}, status=201)
        if request.path == "/apis/linplane.dev/v1alpha1":
            return web.json_response({"resources": [{"name": kind.plural} for kind in OURS]})
        if request.path.endswith("/configmaps") and not refused.is_set():
            return web.json_response({"reason": "Expired", "message": "not now"}, status=refusal)
        return web.json_response({"items": [], "metadata": {}})

    async with (
        RawTestServer(answer) as server,
        ApiClient(Configuration(host=f"http://127.0.0.1:{server.port}")) as api,
    ):
        operator = Operator(api, Options(), lambda: datetime.now(UTC))
        preparing = asyncio.ensure_future(operator.prepare())
        await until(lambda: f"{refusal} Expired: not now" in operator.unready())
        assert not preparing.done()
        refused.set()
        await asyncio.wait_for(preparing, 10)
        assert operator.unready() == ""


async def test_startup_raises_the_error_of_one_list_and_cancels_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = []

    async def look(_: Operator, kind: Kind) -> None:
        if kind is CONFIG_MAP:
            raise KeyError("unexpected")
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(kind)

    async def nothing(*_: Any) -> list[str]:
        return []

    monkeypatch.setattr(Operator, "_list", look)
    monkeypatch.setattr(Startup, "wait_for_crds", nothing)
    monkeypatch.setattr("linplane_operator.kube.startup.missing_permissions", nothing)
    async with ApiClient(Configuration(host="http://127.0.0.1:1")) as api:
        with pytest.raises(KeyError, match="unexpected"):
            await Operator(api, Options(), lambda: datetime.now(UTC)).prepare()
    assert {*ended, CONFIG_MAP} >= set(OURS)


async def test_kopf_starts_once_the_crds_exist_and_unlisted_kinds_are_reported(
    stop: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kopf does not discover kinds that are missing when it starts."""
    monkeypatch.setattr("linplane_operator.kube.startup.CRD_SECONDS", 0.01)
    there, begun, work = [kind.plural for kind in OURS[1:]], [0], Kopf()

    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        return web.json_response({"resources": [{"name": plural} for plural in there]}, status=200 if there else 404)

    async def spawn_tasks(**given: Any) -> Collection[asyncio.Task[Any]]:
        begun[0] += 1
        return await work(given["stop_flag"])

    monkeypatch.setattr(kopf, "spawn_tasks", spawn_tasks)
    async with (
        RawTestServer(answer) as server,
        ApiClient(Configuration(host=f"http://127.0.0.1:{server.port}")) as api,
    ):
        operator = Operator(api, Options(), lambda: datetime.now(UTC))
        operator.synced = True
        running = asyncio.ensure_future(operator._supervisor.run(stop))
        await until(lambda: operator.unready() == f"waiting for the CRDs of {OURS[0].plural}")
        there.clear()
        await until(lambda: OURS[1].plural in operator.unready())
        assert not begun[0]
        there.extend(kind.plural for kind in OURS)
        await until(lambda: begun[0])
        assert operator.unready().startswith("not watched yet: ")
        for path in [collection_path(kind, None) for kind in WATCHED]:
            operator._interceptor.list_started(path)
            operator._interceptor.filter_page(path, {"items": []})
        assert operator.unready() == ""
        stop.set()
        await asyncio.wait_for(running, 10)


async def test_supervisor_stops_while_it_waits_for_the_crds(stop: asyncio.Event) -> None:
    async with ApiClient(Configuration(host="http://127.0.0.1:1")) as api:
        operator = Operator(api, Options(), lambda: datetime.now(UTC))
        operator.synced = True
        running = asyncio.ensure_future(operator._supervisor.run(stop))
        await until(operator.unready)
        stop.set()
        await asyncio.wait_for(running, 10)
