"""Servers for the tests of this folder."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integration.server.running import Running
from linplane_api.routing import RouteDocument
from linplane_api.routing_folder import write_routing
from unit.server.builders import document, routing

Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts servers with the documents and flags given; stops them after the test."""
    started: list[Running] = []

    def begin(*flags: str, documents: tuple[RouteDocument, ...] = (document(),), **options: object) -> Running:
        folder = tmp_path / str(len(started))
        folder.mkdir()
        if documents:
            write_routing(folder / "config", routing(*documents))
        started.append(Running(folder, *flags, **options))  # type: ignore[arg-type]
        return started[-1]

    yield begin
    for running in started:
        running.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for the tests of a module that do not change it."""
    folder = tmp_path_factory.mktemp("server")
    write_routing(folder / "config", routing(document()))
    running = Running(folder)
    yield running
    running.stop()
