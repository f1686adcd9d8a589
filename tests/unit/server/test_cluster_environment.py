"""A container that restarts in the same pod: its old report also holds for the new process.

With the copy of what it served the process serves at least that; without it, it takes the report back before it reads
anything, so before it is ready. No clock is compared.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from linplane_api.routing_folder import current_state, write_routing
from linplane_server.cluster.environment import ClusterEnvironment
from linplane_server.cluster.local_copy import LocalCopy
from linplane_server.routing.updater import RoutingUpdater
from linplane_server.state.readiness import Readiness
from linplane_server.state.serving import Serving, new_serving
from unit.server.builders import Client, Clock, document, routing
from unit.server.fake_api import NAMESPACE, REPORTS, ROUTING, FakeApi, failure, fake_api
from unit.server.test_cluster_source import until

REPORT = f"{REPORTS}/pod-1"
PATCH, GET = f"PATCH {REPORT}", f"GET {ROUTING}"
OLD = {"serverName": "default", "podUID": "uid", "startedAt": "2036-01-01T00:00:00Z", "configMapUID": "cm"}


@asynccontextmanager
async def process(api: FakeApi, folder: Path, token: Path) -> AsyncIterator[Serving]:
    """A server's process in pod-1."""
    token.write_text("t")
    args = argparse.Namespace(
        api_url=f"http://127.0.0.1:{api.access.port}", api_ca=None, api_token_file=token, namespace=NAMESPACE,
        server_name="default", pod_name="pod-1", pod_uid="uid", config=folder,
    )  # fmt: skip
    serving = new_serving(Clock())
    environment = ClusterEnvironment(args, serving, {})
    updater = RoutingUpdater(serving, environment.acknowledge, Clock(), environment.save)
    tasks = [asyncio.ensure_future(part) for part in environment.background(updater)]
    try:
        yield serving
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def report(api: FakeApi) -> tuple[Any, Any]:
    found = api.objects[REPORT]["report"]
    return found["configMapUID"], found["sequence"]


def ready(serving: Serving) -> bool:
    return Readiness(serving.store).unready() is None


def lost(folder: Path) -> None:
    assert not folder.exists()


def damaged(folder: Path) -> None:
    write_routing(folder, routing(document(), sequence=7))
    for file in folder.rglob("*"):
        if file.is_file() and not file.is_symlink():
            file.write_bytes(b"{")


@pytest.mark.parametrize("lose", [lost, damaged])
async def test_restart_without_a_copy_resets_the_old_report_before_it_reads(tmp_path: Path, lose: Any) -> None:
    """Even if that takes several attempts: it is not ready before."""
    lose(tmp_path / "copy")
    async with fake_api() as api:
        api.put(REPORT, report={**OLD, "sequence": 7})
        api.put_routing(routing(document(), sequence=8))
        api.answers[PATCH] = [failure(500), failure(403)]
        async with process(api, tmp_path / "copy", tmp_path / "token") as serving:
            await until(lambda: api.count(PATCH) == 2)
            assert (ready(serving), report(api), api.count(GET)) == (False, ("cm", 7), 0)
            await until(lambda: ready(serving))
            keys = [f"{request.method} {request.path}" for request in api.received]
            assert keys.index(GET) > [place for place, key in enumerate(keys) if key == PATCH][2]
            await until(lambda: report(api)[1] == 8)


async def test_restart_without_a_copy_or_documents_reports_nothing_loaded(tmp_path: Path) -> None:
    """A replica with nothing loaded acknowledges nothing."""
    async with fake_api() as api:
        api.put(REPORT, report={**OLD, "sequence": 7})
        async with process(api, tmp_path / "copy", tmp_path / "token") as serving:
            await until(lambda: report(api) == ("", 0))
            assert not ready(serving)


async def test_restart_with_a_copy_serves_what_its_report_says(tmp_path: Path) -> None:
    """The API server is unavailable: nothing is written, and the old report is true."""
    write_routing(tmp_path / "copy", routing(document(), sequence=7))
    async with fake_api() as api:
        api.put(REPORT, report={**OLD, "sequence": 7})
        api.answers[GET] = [failure(500)] * 99
        async with process(api, tmp_path / "copy", tmp_path / "token") as serving:
            await until(lambda: ready(serving))
            assert serving.store.snapshot.sequence >= report(api)[1]
            status, headers, _ = Client(serving).ask(b'{"features":[1,2]}', "homes")
            assert (status, headers["x-linplane-version"]) == (200, "v1")
            assert api.count(PATCH) == 0


async def test_local_copy_that_cannot_be_read_is_removed(tmp_path: Path) -> None:
    """A server that is not to join keeps no copy, so a later start must not use an old one."""
    damaged(tmp_path / "copy")
    assert await LocalCopy(tmp_path / "copy").load() is None
    assert current_state(tmp_path / "copy") is None
