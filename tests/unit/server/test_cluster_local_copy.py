"""The local copy: a restarted server serves what it served before, and acknowledges nothing new."""

import asyncio
import errno
from pathlib import Path

import pytest

from linplane_api.routing import RoutingMap
from linplane_api.routing_folder import current_state, read_routing, write_routing
from linplane_server.cluster.local_copy import LocalCopy
from linplane_server.routing.updater import RoutingUpdater
from linplane_server.state.serving import Serving, new_serving
from linplane_server.state.snapshot import Snapshot
from unit.server.builders import Client, Clock, document, routing

BODY = b'{"features":[1,2]}'


class Server:
    """An updater with a copy."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.serving: Serving = new_serving(Clock())
        self.copy = LocalCopy(folder)
        self.acknowledged: list[Snapshot] = []
        self.copied_before: list[RoutingMap] = []
        self.updater = RoutingUpdater(self.serving, self.acknowledge, Clock(), self.copy.save)

    async def acknowledge(self, snapshot: Snapshot) -> None:
        self.acknowledged.append(snapshot)
        state = current_state(self.folder)
        if state:
            self.copied_before.append(read_routing(self.folder, state))

    def version(self, route: str = "homes") -> str | None:
        status, headers, _ = Client(self.serving).ask(BODY, route)
        return headers.get("x-linplane-version") if status == 200 else None


async def test_local_copy_is_written_before_the_acknowledgement(tmp_path: Path) -> None:
    server = Server(tmp_path / "copy")
    await server.updater.apply(routing(document(), sequence=3))
    assert server.copied_before == [routing(document(), sequence=3)]
    kept = await LocalCopy(tmp_path / "copy").load()
    assert kept == routing(document(), sequence=3)


async def test_local_copy_has_the_last_good_document_of_a_rejected_route(tmp_path: Path) -> None:
    server = Server(tmp_path)
    await server.updater.apply(routing(document(), document("other"), sequence=3))
    await server.updater.apply(routing(document("other", current="v2"), sequence=4, homes="{", new="{"))
    kept = await LocalCopy(tmp_path).load()
    assert kept is not None
    assert kept.sequence == 4
    assert kept.routes["homes"] == routing(document(), sequence=3).routes["homes"]
    assert set(kept.routes) == {"homes", "other"}


async def test_restart_without_the_api_server_serves_the_copy_and_acknowledges_nothing(tmp_path: Path) -> None:
    await Server(tmp_path).updater.apply(routing(document(current="v2"), sequence=3))
    server = Server(tmp_path)
    kept = await server.copy.load()
    assert kept is not None
    await server.updater.restore(kept)
    assert server.serving.store.loaded_at is None, "not ready by a copy alone"
    assert server.version() is None
    await server.updater.serve_restored(kept)
    assert server.version() == "v2"
    assert server.acknowledged == []
    await server.updater.apply(routing(document(current="v1"), sequence=1, uid="another"))
    assert server.version() == "v1"
    assert [(s.uid, s.sequence) for s in server.acknowledged] == [("another", 1)]


async def test_restart_keeps_the_last_good_document_of_a_route_whose_newest_is_damaged(tmp_path: Path) -> None:
    await Server(tmp_path).updater.apply(routing(document(), document("gone"), sequence=3))
    server = Server(tmp_path)
    kept = await server.copy.load()
    assert kept is not None
    await server.updater.restore(kept)
    await server.updater.apply(routing(sequence=4, homes="{"))
    assert server.version() == "v1"
    assert server.version("gone") is None
    snapshot = server.acknowledged[-1]
    assert (snapshot.sequence, set(snapshot.rejected)) == (4, {"homes"})


async def test_local_copy_may_be_missing_or_damaged_and_the_disk_full(tmp_path: Path) -> None:
    assert await LocalCopy(tmp_path / "none").load() is None
    write_routing(tmp_path / "bad", routing(document()))
    (tmp_path / "bad" / "..data" / "sequence").write_text("x")
    assert await LocalCopy(tmp_path / "bad").load() is None
    (tmp_path / "file").write_text("")
    server = Server(tmp_path / "file")
    await server.updater.apply(routing(document()))
    assert server.version() == "v1"
    assert len(server.acknowledged) == 1


async def test_local_copy_that_cannot_be_updated_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart must not serve a version that was reported as withdrawn."""
    server = Server(tmp_path)
    await server.updater.apply(routing(document(), sequence=3))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", _full)
        await server.updater.apply(routing(document(current="v2"), sequence=4))
    assert [s.sequence for s in server.acknowledged] == [3, 4]
    assert await LocalCopy(tmp_path).load() is None
    assert server.version() == "v2"
    await server.updater.apply(routing(document(current="v1"), sequence=5))
    kept = await LocalCopy(tmp_path).load()
    assert kept is not None
    assert kept.sequence == 5
    assert len(list(tmp_path.glob("..state-*"))) == 1, "what was half written has gone"


async def test_acknowledgement_waits_while_an_old_copy_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(tmp_path)
    await server.updater.apply(routing(document(), sequence=3))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", _full)
        patch.setattr(Path, "unlink", _full)
        await server.updater.apply(routing(document(current="v2"), sequence=4))
    assert [s.sequence for s in server.acknowledged] == [3]
    assert server.version() == "v2"
    await server.updater.apply(routing(document(current="v2"), sequence=5))
    assert [s.sequence for s in server.acknowledged] == [3, 5]


def _full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


async def test_local_copy_of_an_equal_state_is_not_written_again(tmp_path: Path) -> None:
    copy = LocalCopy(tmp_path)
    await copy.save(routing(document()))
    first = current_state(tmp_path)
    await copy.save(routing(document()))
    again = LocalCopy(tmp_path)
    await asyncio.gather(again.load())
    await again.save(routing(document()))
    assert current_state(tmp_path) == first
    await again.save(routing(document(), sequence=2))
    assert current_state(tmp_path) != first
