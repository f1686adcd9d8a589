"""Deadlines, drains, the budget of bodies and clients that do not read: the same both ways to answer a prediction."""

import asyncio
import gc
import json
import re
import tracemalloc
from collections.abc import Callable

import pytest

from linplane_server.settings import MIB, Limits
from linplane_server.state.blocks import Blocks
from linplane_server.state.budget import Share
from linplane_server.state.counters import ClientProtocol
from unit.server.both_ways import OK, both, compare, drain, end, fill, late, lose, occupy, owe, read, stop
from unit.server.corpus import CHUNKED, GOOD, HEAD, LENGTH, OTHER, PREDICT, REQUESTS, post
from unit.server.wire import LIMITS, Wire

BY_NAME = dict(REQUESTS)
WITHOUT_BODY = HEAD + b"Host: x\r\n" + LENGTH + b"\r\n"
EVENTS = [late, drain, stop, lose]
PLACES = {"before": 0, "in the head": 20, "before the body": len(WITHOUT_BODY), "in the body": -3, "after": len(GOOD)}


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("before", [b"", GOOD, OTHER], ids=["first", "after a fast one", "after another"])
async def test_event_has_the_same_effect_both_ways(event: Callable[[Wire], None], place: str, before: bytes) -> None:
    cut = PLACES[place]
    await compare(before, GOOD[:cut], event, GOOD[cut:], GOOD, late, late)


async def test_request_whose_body_is_late_is_refused() -> None:
    fast, _ = await compare(GOOD, WITHOUT_BODY, late)
    assert b"HTTP/1.1 408 Request Timeout\r\n" in fast.transport.received


@pytest.mark.parametrize("event", [lose, late])
@pytest.mark.parametrize(
    ("begun", "route", "protocol"),
    [
        (WITHOUT_BODY + PREDICT[:9], "homes", "predict"),
        (CHUNKED + b"5\r\n", "homes", "predict"),
        (post(PREDICT, target=b"/routes/absent/predict")[:-1], "", "predict"),
        (
            post(b"area,rooms\n1,2\n3", b"Content-Type: text/csv", target=b"/routes/homes/invocations")[:-1],
            "homes",
            "mlflow",
        ),
    ],
    ids=["begun", "chunked", "no route", "csv"],
)
async def test_request_whose_body_does_not_come_to_its_end_is_counted(
    event: Callable[[Wire], object], begun: bytes, route: str, protocol: ClientProtocol
) -> None:
    fast, _ = await compare(GOOD, begun, event, lose)
    series = fast.serving.counters
    found = series.versions(route)[""] if route else series.unrouted
    assert (found.errors, found.requests, found.protocols[protocol]) == ({"incomplete": 1}, 1, 1)


@pytest.mark.parametrize("behind", [b"", GOOD])
async def test_drain_closes_the_connection_after_the_answer(behind: bytes) -> None:
    fast, _ = await compare(WITHOUT_BODY, drain, PREDICT + behind)
    assert fast.transport.closing
    assert fast.transport.received.count(OK) == 1
    assert b"connection: close\r\n" in fast.transport.received


async def test_body_in_parts_is_refused_while_others_hold_too_much() -> None:
    fast, _ = await compare(occupy, WITHOUT_BODY + PREDICT[:9], PREDICT[9:], GOOD, OTHER, BY_NAME["v2, ready"])
    assert re.findall(rb"HTTP/1.1 (\d+)", fast.transport.received) == [b"503", b"200", b"404", b"200"]
    assert fast.transport.received.count(b"retry-after: 1\r\n") == 1
    assert fast.guard.budget.held == fast.guard.budget.total


async def test_body_is_refused_at_the_part_with_which_it_holds_too_much() -> None:
    limits = Limits(body_bytes=100, in_flight_bytes=100)
    body = PREDICT.ljust(101)
    head = CHUNKED + b"65\r\n"
    fast, _ = await compare(head + body[:50], body[50:100], body[100:] + b"\r\n0\r\n\r\n", limits=limits)
    assert fast.transport.received.startswith(b"HTTP/1.1 413 ")
    fast, usual = await both(limits)
    for wire in (fast, usual):
        await wire.send(head + body[:50])
        Share(wire.guard.budget).keep(51)
        await wire.send(body[50:60])
    assert fast.state == usual.state
    assert fast.transport.received.startswith(b"HTTP/1.1 503 ")


def end_behind(data: bytes) -> Callable[[Wire], None]:
    """Data arrives, and the end behind it, before anything is answered."""

    def both_at_once(wire: Wire) -> None:
        wire.protocol.data_received(data)
        end(wire)

    return both_at_once


@pytest.mark.parametrize("count", [1, 2, 50])
@pytest.mark.parametrize("rest", [b"", GOOD[:20], GOOD[:-3], b"\x00"], ids=["none", "head", "body", "garbage"])
async def test_requests_that_came_whole_are_answered_after_the_end_of_the_input(count: int, rest: bytes) -> None:
    fast, usual = await compare(end_behind((GOOD + OTHER) * count + rest))
    assert re.findall(rb"HTTP/1.1 (\d+)", fast.transport.received) == [b"200", b"404"] * count
    assert fast.transport.closing
    assert not fast.transport.aborted
    for wire in (fast, usual):
        await wire.act(lose)
    assert fast.state == usual.state


@pytest.mark.parametrize("cut", [0, 20, len(WITHOUT_BODY), -3])
async def test_request_that_is_not_whole_ends_with_the_input(cut: int) -> None:
    fast, _ = await compare(GOOD, GOOD[:cut], end)
    assert fast.transport.received.count(b"HTTP/1.1 ") == 1
    assert fast.transport.closing


def finish(wire: Wire) -> None:
    """The rest of a body arrives."""
    wire.protocol.data_received(PREDICT[9:])


@pytest.mark.parametrize("event", [*EVENTS, finish])
async def test_body_is_held_until_its_connection_is_lost_or_it_is_answered(event: Callable[[Wire], object]) -> None:
    fast, usual = await compare(WITHOUT_BODY + PREDICT[:9])
    assert (fast.guard.budget.held, fast.calls) == (9, 0)
    for wire in (fast, usual):
        await wire.act(event)
        await wire.act(lose)
        assert wire.guard.budget.held == 0


SLICED = json.dumps({"key": "u", "rows": [[1.5, 2.5]] * 10_000}).encode()


async def test_body_that_is_computed_in_slices_is_held_meanwhile() -> None:
    for wire in await both(Limits()):
        wire.protocol.data_received(post(SLICED))
        seen = []
        while not wire.transport.received:
            await asyncio.sleep(0)
            seen.append(wire.guard.budget.held)
        assert max(seen) == len(SLICED)
        await wire.settled()
        assert wire.guard.budget.held == 0
        assert wire.transport.received.startswith(OK)


async def test_body_that_is_computed_in_slices_is_refused_while_others_hold_too_much() -> None:
    fast, _ = await compare(occupy, post(SLICED), GOOD, limits=Limits())
    assert re.findall(rb"HTTP/1.1 (\d+)", fast.transport.received) == [b"503", b"200"]


@pytest.mark.parametrize(
    ("name", "status"), [("budget", b"503"), ("limit", b"413"), ("a text", b"422"), ("not whole", b"408")]
)
async def test_body_that_is_refused_is_not_kept_until_the_collector_runs(name: str, status: bytes) -> None:
    Blocks(lambda load: load())()  # imports numpy, which the first batch would do meanwhile
    rows = [[1.5, 2.5]] * 60_000 + [["a" if name == "a text" else 1.5, 2.5]]
    body = json.dumps({"key": "u", "rows": rows}).encode()
    limits = Limits(body_bytes=len(body) - (name == "limit"))
    parts = [CHUNKED, *(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:500_000], body[500_000:]))]
    for wire in await both(limits):
        if name == "budget":
            occupy(wire)
        await wire.send(GOOD)
        gc.collect()
        gc.disable()
        tracemalloc.start()
        try:
            wire.connect()
            for part in parts:
                wire.protocol.data_received(part)
                await wire.settled()
            if name == "not whole":
                await wire.act(late)
            else:
                wire.protocol.data_received(b"0\r\n\r\n")
            await wire.settled()
            assert wire.transport.received.startswith(b"HTTP/1.1 " + status)
            await wire.act(lose)
            wire.connect()
            assert tracemalloc.get_traced_memory()[0] < 300_000
        finally:
            tracemalloc.stop()
            gc.enable()


async def test_answer_that_is_not_read_is_held_until_it_is() -> None:
    fast, _ = await compare(owe, fill)
    assert fast.guard.budget.held == MIB
    for step in (read, lose):
        fast, _ = await compare(owe, fill, step)
        assert fast.guard.budget.held == 0


@pytest.mark.parametrize(
    ("more", "seconds"), [(b"", LIMITS.idle_seconds), (b"Connection: close", LIMITS.answer_seconds)]
)
async def test_answer_that_is_long_may_take_longer(more: bytes, seconds: float) -> None:
    fast, _ = await compare(owe, post(PREDICT, *[more] if more else []))
    assert fast.protocol.due == fast.loop.now + seconds + 1


async def test_answer_that_is_read_may_take_longer() -> None:
    fast, _ = await compare(owe, fill, GOOD, read)
    assert fast.protocol.due == fast.loop.now + LIMITS.idle_seconds + 1
    fast, usual = await compare(owe, fill, GOOD)
    assert fast.protocol.due == fast.loop.now + LIMITS.answer_seconds
    for wire in (fast, usual):
        await wire.act(lose)


async def test_client_that_does_not_read_gets_no_further_answer_until_it_does() -> None:
    fast, usual = await compare(GOOD, fill, GOOD, GOOD)
    assert fast.transport.received.count(OK) == 1
    assert fast.transport.paused
    assert fast.protocol.due == fast.loop.now + LIMITS.answer_seconds
    for wire in (fast, usual):
        await wire.act(read)
    assert fast.state == usual.state
    assert fast.transport.received.count(OK) == 3


async def test_connection_is_closed_after_the_last_answer_to_a_client_that_does_not_read() -> None:
    fast, _ = await compare(fill, post(PREDICT, b"Connection: close"), read)
    assert fast.transport.closing
    assert fast.transport.received.count(b"connection: close\r\n") == 1


async def test_client_that_never_reads_is_disconnected() -> None:
    fast, _ = await compare(fill, GOOD, late, lose)
    assert fast.transport.aborted
    assert not fast.transport.received
