"""Features that requests lacked: counted with the refusal, bounded, written rarely."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

from linplane_api.report import Lacking
from linplane_server.routing.file_report import FileReport
from linplane_server.routing.missing_features import Timing, has_grown, report_missing_features
from linplane_server.state.counters import Counters
from linplane_server.state.snapshot import Snapshot
from unit.server.builders import Client, document, serving

AREA_ONLY = b'{"features":{"area":1}}'


async def test_missing_feature_is_counted_by_route_version_and_feature() -> None:
    loaded = await serving(
        document(versions={"v1": {"area": 1.0}, "v2": {"area": 1.0, "age": 1.0}}, split=[("v2", 5000)])
    )
    client = Client(loaded)
    keys = [str(number) for number in range(40)]
    answers = [client.ask(json.dumps({"features": {"area": 1}, "key": key}).encode())[0] for key in keys]
    assert set(answers) == {200, 422}
    assert loaded.counters.missing_features() == [Lacking("homes", "v2", "age", answers.count(422))]
    client.ask(b'{"features":{"area":1,"x":1}}')
    client.ask(b"{")
    assert loaded.counters.missing_features() == [Lacking("homes", "v2", "age", answers.count(422))]


async def test_missing_features_of_a_batch_count_once_and_make_at_most_eight_counters() -> None:
    loaded = await serving(document(versions={"v1": {f"f{n:03}": 1.0 for n in range(100)}}))
    Client(loaded).ask(b'{"rows":[{},{},{}]}')
    assert loaded.counters.missing_features() == [Lacking("homes", "v1", f"f{n:03}", 1) for n in range(8)]


def test_missing_features_reported_are_the_most_frequent_of_versions_in_use() -> None:
    counters = Counters()
    for number in range(12):
        for _ in range(number + 1):
            counters.series("r", "v1").record_missing([f"f{number}"])
    counters.series("r", "v2").record_missing(["old"] * 50)
    counters.series("gone", "v1").record_missing(["old"] * 50)
    counters.retain({"r": ["v1"]})
    assert [(one.feature, one.count) for one in counters.missing_features()] == [
        (f"f{n}", n + 1) for n in range(11, 3, -1)
    ]


def test_missing_features_have_grown_only_if_a_count_is_higher() -> None:
    few, more = Lacking("r", "v1", "a", 3), Lacking("r", "v1", "a", 4)
    assert has_grown([], [few])
    assert has_grown([few], [more])
    assert has_grown([few], [few, Lacking("r", "v2", "a", 1)])
    assert not has_grown([few], [few])
    assert not has_grown([more], [few])
    assert not has_grown([few], [])


@contextlib.asynccontextmanager
async def reporting(lacking: list[Lacking], writes: list[int]) -> AsyncIterator[None]:
    async def write() -> None:
        writes.append(sum(one.count for one in lacking))

    task = asyncio.create_task(report_missing_features(lambda: list(lacking), write, Timing(poll=0.005, pause=0.2)))
    try:
        yield
    finally:
        task.cancel()


async def test_missing_features_are_reported_at_once_then_after_a_pause_and_not_at_rest() -> None:
    lacking: list[Lacking] = []
    writes: list[int] = []
    async with reporting(lacking, writes):
        await asyncio.sleep(0.05)
        assert writes == []
        for count in range(1, 30):
            lacking[:] = [Lacking("r", "v1", "a", count)]
            await asyncio.sleep(0.002)
        assert len(writes) == 1
        await asyncio.sleep(0.3)
        assert writes[1:] == [29]
        await asyncio.sleep(0.4)
        assert len(writes) == 2


async def test_route_that_is_created_again_counts_from_zero() -> None:
    lacking = [Lacking("r", "v1", "a", 50)]
    writes: list[int] = []
    async with reporting(lacking, writes):
        await asyncio.sleep(0.05)
        lacking[:] = [Lacking("r", "v1", "a", 2)]
        await asyncio.sleep(0.4)
    assert writes == [50, 2]


async def test_report_in_a_file_has_the_missing_features_and_stays_the_newest(tmp_path: Path) -> None:
    path, lacking = tmp_path / "report.json", [Lacking("r", "v1", "a", 1)]
    report = FileReport(path, lambda: lacking, "default", "uid", "2026-01-01T00:00:00Z")
    await report.rewrite()
    assert not path.exists(), "nothing was acknowledged"
    await report(Snapshot("cm", 1, {}, {}))
    lacking[:] = [Lacking("r", "v1", "a", 2)]
    await asyncio.gather(report.rewrite(), report(Snapshot("cm", 2, {}, {})), report.rewrite())
    body = json.loads(path.read_bytes())
    assert (body["sequence"], body["lacking"]) == (2, [{"route": "r", "version": "v1", "feature": "a", "count": 2}])
