"""Routing maps from a folder: put in force, then acknowledged; counts are kept."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

from linplane_api.routing import RateLimit, RoutingMap
from linplane_api.routing_folder import write_routing
from linplane_server.routing.file_report import FileReport
from linplane_server.routing.folder_source import FolderSource
from linplane_server.routing.updater import RoutingUpdater
from linplane_server.state.serving import Serving, new_serving
from linplane_server.state.snapshot import Snapshot
from unit.server.builders import Client, Clock, document, later_format, routing

BODY = b'{"features":[1,2]}'


async def until(check: object) -> None:
    """Waits until it is true; the test's own timeout bounds it."""
    async with asyncio.timeout(5):
        while not check():  # type: ignore[operator]
            await asyncio.sleep(0.001)


@contextlib.asynccontextmanager
async def watching(folder: Path, acknowledged: list[Snapshot]) -> AsyncIterator[Serving]:
    loaded = new_serving(Clock())

    async def acknowledge(snapshot: Snapshot) -> None:
        assert loaded.store.snapshot is snapshot, "acknowledged before it answers"
        acknowledged.append(snapshot)

    task = asyncio.create_task(FolderSource(folder, 0.001).run(RoutingUpdater(loaded, acknowledge, Clock()).apply))
    try:
        yield loaded
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_state_is_put_in_force_and_acknowledged_once(tmp_path: Path) -> None:
    seen: list[Snapshot] = []
    async with watching(tmp_path / "later", seen) as loaded:
        await asyncio.sleep(0.01)
        assert loaded.store.loaded_at is None
        write_routing(tmp_path / "later", routing(document(), sequence=1))
        await until(lambda: seen)
        write_routing(tmp_path / "later", routing(document(current="v2"), sequence=2, uid="u2"))
        await until(lambda: len(seen) == 2)
        await asyncio.sleep(0.01)
        assert [(s.uid, s.sequence) for s in seen] == [("uid-1", 1), ("u2", 2)]
        assert [(s.route, s.old, s.new) for s in loaded.switch_log.last()] == [("homes", "v1", "v2")]


async def test_folder_damaged_as_a_whole_keeps_the_routing_in_force(tmp_path: Path) -> None:
    seen: list[Snapshot] = []
    async with watching(tmp_path, seen) as loaded:
        write_routing(tmp_path, routing(document()))
        await until(lambda: seen)
        before = loaded.store.snapshot
        for name, data in (("..a", {}), ("..b", {"sequence": "x"}), ("..c", {"sequence": b"\xff"})):
            (tmp_path / name).mkdir()
            for key, value in data.items():
                (tmp_path / name / key).write_bytes(value if isinstance(value, bytes) else value.encode())
            (tmp_path / "new").symlink_to(name)
            (tmp_path / "new").rename(tmp_path / "..data")
            await asyncio.sleep(0.01)
        (tmp_path / "..data").unlink()
        await asyncio.sleep(0.01)
        assert loaded.store.snapshot is before
        write_routing(tmp_path, routing(document(current="v2"), sequence=1))
        await until(lambda: len(seen) == 2)


async def test_sequence_may_be_lower_than_before(tmp_path: Path) -> None:
    seen: list[Snapshot] = []
    async with watching(tmp_path, seen):
        write_routing(tmp_path, routing(document(), sequence=9))
        await until(lambda: seen)
        write_routing(tmp_path, routing(document(), sequence=2, uid="another"))
        await until(lambda: len(seen) == 2)
        assert seen[-1].sequence == 2


async def test_counters_survive_a_swap_and_go_with_their_route_or_version(tmp_path: Path) -> None:
    loaded = new_serving(Clock())
    seen: list[Snapshot] = []

    async def acknowledge(snapshot: Snapshot) -> None:
        seen.append(snapshot)

    updater = RoutingUpdater(loaded, acknowledge, Clock())
    client = Client(loaded)
    await updater.apply(routing(document(), document("other")))
    client.ask(BODY, "homes")
    client.ask(b"", "homes")
    await updater.apply(routing(document(current="v2"), sequence=2))
    client.ask(BODY, "homes")
    counted = loaded.counters.versions("homes")
    assert {name: series.requests for name, series in counted.items()} == {"v1": 1, "v2": 1, "": 1}
    assert not loaded.counters.versions("other")
    await updater.apply(routing(document(current="v2", versions={"v2": {"area": 1.0, "rooms": 1.0}}), sequence=3))
    assert set(loaded.counters.versions("homes")) == {"v2", ""}


async def test_limits_are_reloaded_with_the_document() -> None:
    loaded = new_serving(Clock())

    async def acknowledge(snapshot: Snapshot) -> None:
        """Discards it."""

    updater = RoutingUpdater(loaded, acknowledge, Clock())
    client = Client(loaded)
    await updater.apply(routing(document(limit=RateLimit(0.01, 1, "Client"))))
    assert [client.ask(BODY)[0] for _ in range(2)] == [200, 429]
    await updater.apply(routing(document(limit=RateLimit(0.01, 1, "Client"), current="v2"), sequence=2))
    assert client.ask(BODY)[0] == 429
    await updater.apply(routing(document(), sequence=3))
    assert client.ask(BODY)[0] == 200


async def test_report_is_a_file_that_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    report = FileReport(path, list, "default", "uid-of-pod", "2026-01-01T00:00:00Z")
    await report(Snapshot("cm", 4, {}, {"a": "why"}))
    assert json.loads(path.read_bytes()) == {
        "serverName": "default", "podUID": "uid-of-pod", "startedAt": "2026-01-01T00:00:00Z", "configMapUID": "cm",
        "sequence": 4, "routes": 0, "rejectedCount": 1, "rejected": [{"route": "a", "reason": "why"}], "formats": [1],
    }  # fmt: skip
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


async def test_report_that_cannot_be_written_does_not_stop_serving(tmp_path: Path) -> None:
    await FileReport(tmp_path / "absent" / "report.json", list, "default", "", "")(Snapshot("cm", 4, {}, {}))


async def test_local_copy_is_saved_only_by_a_server_that_has_joined() -> None:
    """So a container that restarts is neither ready sooner nor later than before."""
    kept: list[RoutingMap] = []

    async def keep(routing_map: RoutingMap) -> None:
        kept.append(routing_map)

    async def acknowledge(_: Snapshot) -> None:
        pass

    later = later_format("new")
    joining = new_serving(Clock())
    await RoutingUpdater(joining, acknowledge, Clock(), keep).apply(routing(document(), new=later))
    assert (kept, joining.store.joined) == ([], False)
    joined = new_serving(Clock())
    updater = RoutingUpdater(joined, acknowledge, Clock(), keep)
    await updater.apply(routing(document()))
    await updater.apply(routing(document(), new=later, sequence=2))
    assert [sorted(one.routes) for one in kept] == [["homes"], ["homes"]]
    restarted = new_serving(Clock())
    updater = RoutingUpdater(restarted, acknowledge, Clock(), keep)
    await updater.restore(kept[-1])
    await updater.apply(routing(document(), new=later, sequence=2))
    assert restarted.store.joined
