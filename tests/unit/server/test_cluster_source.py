"""The watch of the routing ConfigMap: every state of the API server is applied, even if watches fail."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from linplane_api.routing import RoutingMap
from linplane_server.cluster.source import ClusterSource, Timing
from unit.server.builders import document, routing
from unit.server.fake_api import NAMESPACE, ROUTING, FakeApi, Reply, event, failure, fake_api

QUICK = Timing(read=10.0, fall_back=0.05, silence=5.0, first_pause=0.001, last_pause=0.01)
GET = f"GET {ROUTING}"


async def until(check: object) -> None:
    """Waits until it is true."""
    async with asyncio.timeout(20):
        while not check():  # type: ignore[operator]
            await asyncio.sleep(0.001)


class Applied:
    """A source that runs, the routing that it applied, and how often it fell back."""

    def __init__(self, api: FakeApi, timing: Timing) -> None:
        self.source = ClusterSource(api.access, "linplane-routing-default", timing)
        self.applied: list[RoutingMap] = []
        self.fallen = 0

    async def apply(self, routing: RoutingMap) -> None:
        self.applied.append(routing)

    async def fall_back(self) -> None:
        self.fallen += 1

    @property
    def sequences(self) -> list[int]:
        return [routing.sequence for routing in self.applied]


@contextlib.asynccontextmanager
async def running(api: FakeApi, timing: Timing = QUICK) -> AsyncIterator[Applied]:
    running_source = Applied(api, timing)
    task = asyncio.create_task(running_source.source.run(running_source.apply, running_source.fall_back))
    try:
        yield running_source
    finally:
        assert not task.done(), task
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_source_reads_by_name_and_then_watches_that_name() -> None:
    async with fake_api() as api:
        api.put_routing(routing(document(), sequence=3))
        async with running(api) as running_source:
            await until(lambda: api.watches)
            watch = api.watches[0]
            assert watch.request.path == f"/api/v1/namespaces/{NAMESPACE}/configmaps"
            assert watch.request.query.pop("timeoutSeconds") in {str(seconds) for seconds in range(270, 331)}
            assert watch.request.query == {
                "watch": "true", "allowWatchBookmarks": "true", "resourceVersion": "101",
                "fieldSelector": "metadata.name=linplane-routing-default",
            }  # fmt: skip
            watch.send("MODIFIED", api.put_routing(routing(document(current="v2"), sequence=4)))
            await until(lambda: len(running_source.applied) == 2)
            assert running_source.applied == [
                routing(document(), sequence=3),
                routing(document(current="v2"), sequence=4),
            ]
        assert (running_source.fallen, running_source.source.name) == (0, "api")
        assert api.count(GET) == 1


async def test_api_servers_state_takes_effect_even_with_a_lower_sequence() -> None:
    async with fake_api() as api:
        api.put_routing(routing(sequence=9))
        async with running(api) as running_source:
            await until(lambda: api.watches)
            api.watches[0].send("MODIFIED", api.put_routing(routing(sequence=2, uid="uid-2")))
            await until(lambda: running_source.sequences == [9, 2])


async def test_watch_that_ends_in_order_is_resumed() -> None:
    async with fake_api() as api:
        api.put_routing(routing(sequence=1))
        async with running(api) as running_source:
            await until(lambda: api.watches)
            api.watches[0].send("BOOKMARK", {"metadata": {"resourceVersion": "777"}})
            api.watches[0].end()
            await until(lambda: len(api.watches) == 2)
            assert api.watches[1].request.query["resourceVersion"] == "777"
            api.watches[1].send("MODIFIED", api.put_routing(routing(sequence=2)))
            await until(lambda: running_source.sequences == [1, 2])
            assert api.count(GET) == 1


async def broken_by_410(api: FakeApi) -> None:
    api.watches[0].send("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"})


async def refused_with_410(api: FakeApi) -> None:
    api.answers["watch"] = [failure(410, "Expired", "too old")]
    api.watches[0].end()


async def cut(api: FakeApi) -> None:
    api.watches[0].cut()


async def cut_in_a_line(api: FakeApi) -> None:
    api.watches[0].send_raw(b'{"type":"MODIFIED","object":{"metadata":{"uid":"x"},"data":{"sequence":"99"}}}')
    await asyncio.sleep(0.01)
    api.watches[0].cut()


async def not_json(api: FakeApi) -> None:
    api.watches[0].send_raw(b"<html>\n")


async def not_http(api: FakeApi) -> None:
    api.watches[0].writer.write(b"what?\r\n")


async def failed_for_a_while(api: FakeApi) -> None:
    api.answers["watch"] = [failure(500), failure(503), Reply(302, None, {"Location": "/"}), failure(429)]
    api.answers[GET] = [failure(401), failure(403), Reply(raw=b"SSH-2.0\r\n"), Reply(raw=b"")]
    api.watches[0].end()


@pytest.mark.parametrize(
    "mishap", [broken_by_410, refused_with_410, cut, cut_in_a_line, not_json, not_http, failed_for_a_while]
)
async def test_watch_that_fails_is_followed_by_a_read(mishap: object) -> None:
    async with fake_api() as api:
        api.put_routing(routing(sequence=1))
        async with running(api) as running_source:
            await until(lambda: api.watches)
            api.put_routing(routing(sequence=2))  # without an event
            await mishap(api)  # type: ignore[operator]
            await until(lambda: len(api.watches) == 2)
            assert running_source.sequences == [1, 2]
            api.watches[1].send("MODIFIED", api.put_routing(routing(sequence=3)))
            await until(lambda: running_source.sequences == [1, 2, 3])
            assert api.watches[1].request.query["resourceVersion"] == "102"


async def test_watch_without_events_is_closed() -> None:
    async with fake_api() as api:
        api.put_routing(routing(sequence=1))
        async with running(api, Timing(first_pause=0.001, silence=0.15)) as running_source:
            await until(lambda: api.watches)
            for _ in range(4):
                await asyncio.sleep(0.06)
                api.watches[0].send("BOOKMARK", {"metadata": {"resourceVersion": "101"}})
            assert len(api.watches) == 1
            api.put_routing(routing(sequence=2))
            await until(lambda: len(api.watches) == 2)
            assert running_source.sequences == [1, 2]


async def test_token_that_was_rotated_is_used_at_once(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old\n")
    async with fake_api() as api:
        api.token_file, api.tokens = token, {"old"}
        api.put_routing(routing(sequence=1))
        async with running(api) as running_source:
            await until(lambda: api.watches)
            api.tokens = {"new"}
            api.watches[0].cut()
            await until(lambda: api.count(GET) > 3)
            token.unlink()
            await asyncio.sleep(0.02)
            token.write_text("new\n")
            api.put_routing(routing(sequence=2))
            await until(lambda: running_source.sequences == [1, 2])
            assert api.received[-1].headers["authorization"] == "Bearer new"


async def test_failures_are_retried_with_backoff() -> None:
    async with fake_api() as api:
        api.override = lambda request: failure(503)
        async with running(api, Timing(first_pause=0.05, last_pause=0.1)):
            await asyncio.sleep(0.5)
            assert api.count(GET) <= 20
            await until(lambda: api.count(GET) >= 3)
        api.received.clear()
        api.override = lambda request: failure(429, retry_after="60")
        async with running(api):
            await until(lambda: api.count(GET) == 2)
            await asyncio.sleep(0.1)
            assert api.count(GET) == 2, "the first read, and one try"


async def test_watch_that_ends_at_once_is_retried_with_backoff() -> None:
    async with fake_api() as api:
        api.put_routing(routing(sequence=1))
        api.override = lambda request: Reply(200, {}) if request.is_watch else None
        async with running(api, Timing(first_pause=0.05, last_pause=0.1)):
            await asyncio.sleep(0.5)
            assert api.count("watch") <= 20
            await until(lambda: api.count("watch") >= 3)


async def test_source_falls_back_once_if_the_api_server_is_unavailable() -> None:
    async with fake_api() as api:
        await api.stop()
        async with running(api) as running_source:
            await until(lambda: running_source.fallen)
            assert running_source.source.name == "copy"
            api.put_routing(routing(sequence=1))
            await api.start()
            await until(lambda: running_source.sequences == [1])
            assert (running_source.fallen, running_source.source.name) == (1, "api")


async def test_source_falls_back_while_the_first_read_takes_long() -> None:
    async with fake_api() as api:
        api.put_routing(routing(sequence=1))
        api.answers[GET] = [Reply(200, api.objects[ROUTING], wait=0.2)]
        async with running(api) as running_source:
            await until(lambda: running_source.fallen)
            assert not running_source.applied
            await until(lambda: running_source.sequences == [1])
        assert api.count(GET) == 1


async def test_read_that_never_ends_times_out() -> None:
    async with fake_api() as api:
        api.put_routing(routing(sequence=1))
        api.answers[GET] = [Reply(silent=True), Reply(silent=True)]
        async with running(api, Timing(read=0.4, fall_back=0.01, first_pause=0.001)) as running_source:
            await until(lambda: running_source.sequences == [1])
            assert running_source.fallen == 1


async def test_config_map_that_is_missing_is_waited_for() -> None:
    async with fake_api() as api, running(api) as running_source:
        await until(lambda: api.watches)
        assert running_source.fallen == 1
        assert "resourceVersion" not in api.watches[0].request.query, "whatever is there comes as an event"
        api.watches[0].send("ADDED", api.put_routing(routing(sequence=1)))
        await until(lambda: running_source.sequences == [1])


async def test_config_map_that_is_deleted_changes_nothing_and_the_next_is_applied() -> None:
    async with fake_api() as api:
        first = api.put_routing(routing(sequence=5))
        async with running(api) as running_source:
            await until(lambda: api.watches)
            api.watches[0].send("DELETED", first)
            api.watches[0].send("ADDED", api.put_routing(routing(sequence=1, uid="uid-2")))
            await until(lambda: running_source.sequences == [5, 1])
            assert running_source.applied[1].uid == "uid-2"


async def test_config_map_that_is_damaged_changes_nothing() -> None:
    async with fake_api() as api:
        api.put_routing(routing(sequence=1))
        async with running(api) as running_source:
            await until(lambda: api.watches)
            for data in ({"sequence": "x"}, {}, None):
                api.watches[0].send("MODIFIED", api.put(ROUTING, data=data))
            api.watches[0].send("MODIFIED", api.put_routing(routing(sequence=2)))
            await until(lambda: running_source.sequences == [1, 2])
            assert len(api.watches) == 1


async def test_events_may_be_split_or_joined_in_chunks() -> None:
    async with fake_api() as api:
        api.put_routing(routing(sequence=1))
        async with running(api) as running_source:
            await until(lambda: api.watches)
            watch = api.watches[0]
            sent = [
                event("MODIFIED", api.put_routing(routing(document(), sequence=sequence))) for sequence in (2, 3, 4)
            ]
            data, second = b"".join(sent), len(sent[0]) + 5
            for piece in (data[:10], data[10:second], data[second:]):
                watch.send_raw(piece)
                await asyncio.sleep(0.01)
            await until(lambda: running_source.sequences == [1, 2, 3, 4])


async def test_state_that_is_in_force_is_not_applied_again() -> None:
    async with fake_api() as api:
        api.put_routing(routing(sequence=1))
        async with running(api) as running_source:
            await until(lambda: api.watches)
            before = running_source.source.heard_at
            api.watches[0].send("MODIFIED", api.put_routing(routing(sequence=1)))
            await until(lambda: running_source.source.heard_at != before)
            api.watches[0].cut()
            await until(lambda: len(api.watches) == 2)
            assert running_source.sequences == [1]
            assert api.watches[1].request.query["resourceVersion"] == "102"
