"""The server process of local mode: its arguments come from the ModelServer, typed."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from linplane_api.kinds import DEPLOYMENT, MODEL_SERVER
from linplane_api.resources import ModelServerSpec, parse_spec
from linplane_operator.compile.objects import Object
from linplane_operator.compile.server import make_deployment
from linplane_operator.compile.settings import Settings
from linplane_operator.local import server_process as module
from linplane_operator.local.server_process import Access, ServerProcess
from linplane_operator.local.state_dir import StateDir
from linplane_operator.local.store import Store
from unit.local.builders import NOW, Printed, body, make_store
from unit.local.processes import Children
from unit.operator.virtual_time import run_virtually


@pytest.fixture
def access(tmp_path: Path) -> Iterator[Access]:
    """Two sockets, and a token file."""
    public, admin = socket.socketpair()
    with public, admin:
        yield Access(public, admin, tmp_path / "token")


class Site:
    """A store with a ModelServer, and the loop that keeps its process alive."""

    def __init__(self, root: Path, access: Access, settings: Settings = Settings(), **spec: Any) -> None:  # noqa: B008
        self.children = Children()
        self.store: Store = make_store(root / "state")
        self.store.create(MODEL_SERVER, body(MODEL_SERVER, "default", spec=spec))
        self.server = ServerProcess(StateDir(root / "state"), self.store, access, settings, lambda: NOW, Printed())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The loop runs."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "start_child", self.children)
            task = asyncio.create_task(self.server.run())
            try:
                yield
            finally:
                task.cancel()

    @property
    def owner(self) -> Object:
        """The ModelServer."""
        return self.store.all(MODEL_SERVER)[0]

    def ask(self, **spec: Any) -> None:
        """A user changes the ModelServer."""
        self.store.update(MODEL_SERVER, self.owner, body(MODEL_SERVER, "default", spec=spec))

    def reconcile(self) -> None:
        """Brings the Deployment up to date, but with arguments that say nothing: none can be read back."""
        made = make_deployment(self.owner, parse_spec(self.owner, ModelServerSpec), Settings())
        made["spec"]["template"]["spec"]["containers"][0]["args"] = [str(self.owner["metadata"]["generation"])]
        before = self.store.all(DEPLOYMENT)
        if before:
            self.store.update(DEPLOYMENT, before[0], {**made, "status": before[0]["status"]})
        else:
            self.store.create(DEPLOYMENT, made)

    async def look(self) -> None:
        """Looks as the loop does, for a second."""
        for _ in range(10):
            await asyncio.sleep(0.1)
            self.server.sync()

    def is_observed(self) -> bool:
        """The process is of the Deployment as it is."""
        (found,) = self.store.all(DEPLOYMENT)
        return bool(found["status"]["observedGeneration"] == found["metadata"]["generation"])


def test_process_gets_the_arguments_of_its_model_server(tmp_path: Path, access: Access) -> None:
    """Once there is a Deployment, and none before."""
    site = Site(tmp_path, access, trustedProxies=["10.0.0.0/8", "fd00::/8"])

    async def work() -> None:
        async with site.running():
            await site.look()
            assert site.children == []
            site.reconcile()
            await site.look()

    run_virtually(work())
    (process,) = site.children
    assert process.after("--server-name") == ["default"]
    assert process.after("--trusted-proxy") == ["10.0.0.0/8", "fd00::/8"]
    assert process.after("--admin-token-file") == [str(tmp_path / "token")]


def test_process_gets_the_arguments_of_the_settings(tmp_path: Path, access: Access) -> None:
    settings = Settings(public_names=False, max_body_bytes=2048, root_path="/other")
    site = Site(tmp_path, access, settings, rootPath="/scoring", maxBodyBytes=4096)

    async def work() -> None:
        async with site.running():
            site.reconcile()
            await site.look()

    run_virtually(work())
    (process,) = site.children
    assert process.after("--root-path") == ["/other"]
    assert "--no-public-names" in process.started
    assert process.after("--body-bytes") == ["2048"]


@pytest.mark.parametrize("reconciled", ["before the process is replaced", "after it"])
def test_changed_arguments_restart_the_process(tmp_path: Path, access: Access, reconciled: str) -> None:
    site = Site(tmp_path, access)

    async def work() -> None:
        site.reconcile()
        async with site.running():
            await site.look()
            assert site.is_observed()
            site.ask(trustedProxies=["10.0.0.0/8"])
            if reconciled == "after it":
                await site.look()
            site.reconcile()
            site.server.sync()
            assert not site.is_observed() or reconciled == "after it"
            await site.look()
            assert site.is_observed()

    run_virtually(work())
    assert [process.after("--trusted-proxy") for process in site.children] == [[], ["10.0.0.0/8"]]
    assert [process.returncode for process in site.children] == [-15, None]


def test_ignored_fields_do_not_restart_the_process(tmp_path: Path, access: Access) -> None:
    """Otherwise the server would never be Ready again."""
    site = Site(tmp_path, access)

    async def work() -> None:
        site.reconcile()
        async with site.running():
            await site.look()
            site.ask(image="mine:2")
            site.reconcile()
            assert not site.is_observed()
            await site.look()
            assert site.is_observed()

    run_virtually(work())
    assert len(site.children) == 1
