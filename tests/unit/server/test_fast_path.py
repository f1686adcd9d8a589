"""Both ways to answer a prediction, on the fast path and by the application: the same bytes in all circumstances."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_server.http.fast_path import CACHED_HEAD, CACHED_HEADS, FAST_BYTES
from linplane_server.settings import Limits
from unit.server.both_ways import OK, both, compare, late
from unit.server.corpus import CHUNKED, GOOD, HEAD, OTHER, PREDICT, REQUESTS, V2, post
from unit.server.wire import LIMITS, Wire

BY_NAME = dict(REQUESTS)
V2_STATUSES = {
    "v2": 200,
    "v2, a version": 200,
    "v2, a version that is not there": 404,
    "v2, an unknown route": 404,
    "v2, no JSON": 400,
    "v2, too large": 413,
    "v2, a text": 400,
    "v2, GET": 405,
    "v2, binary": 200,
    "v2, binary that is short": 400,
    "v2, gzip": 200,
    "v2, an unknown encoding": 415,
    "v2, 64 deep": 200,
    "v2, 65 deep": 400,
    "v2, metadata": 200,
    "v2, ready": 200,
}


def test_requests_have_different_names() -> None:
    assert len(BY_NAME) == len(REQUESTS)
    assert {name for name in BY_NAME if name.startswith("v2")} == set(V2_STATUSES)


@pytest.mark.parametrize("name", V2_STATUSES)
async def test_answer_of_v2_has_the_status_of_its_request(name: str) -> None:
    fast, _ = await compare(BY_NAME[name])
    assert fast.transport.received.startswith(b"HTTP/1.1 %d " % V2_STATUSES[name])


@pytest.mark.parametrize("name", BY_NAME)
async def test_answer_is_the_same_both_ways(name: str) -> None:
    fast, usual = await compare(BY_NAME[name])
    assert fast.transport.received or name.endswith("without an end")
    assert fast.calls <= usual.calls


@pytest.mark.parametrize("name", BY_NAME)
async def test_answer_is_the_same_both_ways_to_a_request_that_was_sent_before(name: str) -> None:
    data = BY_NAME[name]
    await compare(data, Wire.connect, data, data, Wire.connect, GOOD, data)


@pytest.mark.parametrize("cut", range(1, len(GOOD)))
async def test_answer_is_the_same_both_ways_wherever_a_request_is_cut(cut: int) -> None:
    fast, usual = await compare(GOOD[:cut], GOOD[cut:])
    assert fast.transport.received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert (fast.calls, usual.calls) == (0, 1)


async def test_answer_is_the_same_both_ways_byte_by_byte() -> None:
    fast, usual = await compare(*(bytes([byte]) for byte in GOOD + OTHER + GOOD))
    assert fast.transport.received.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert (fast.calls, usual.calls) == (1, 3)


short = [data for _, data in REQUESTS if len(data) < 4_000]


@given(st.data())
async def test_answers_are_the_same_both_ways_for_any_requests_in_any_segments(data: st.DataObject) -> None:
    requests = data.draw(st.lists(st.sampled_from(short), min_size=1, max_size=4))
    sent = b"".join(requests)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(sent) - 1), max_size=6)))
    pieces = [sent[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    again = data.draw(st.lists(st.sampled_from([*requests, *pieces, Wire.connect]), max_size=6))
    await compare(*requests, Wire.connect, *pieces, Wire.connect, *again)


async def test_target_that_is_invalid_is_refused_after_the_answers_before_it() -> None:
    fast, _ = await compare(OTHER, GOOD, BY_NAME["a target that is none"])
    assert re.findall(rb"HTTP/1.1 (\d+)", fast.transport.received) == [b"404", b"200", b"400"]
    fast, _ = await compare(OTHER + BY_NAME["a target that is none"])
    assert re.findall(rb"HTTP/1.1 (\d+)", fast.transport.received) == [b"404"]
    assert fast.transport.closing


TAKEN = [
    "as usual",
    "an absolute target",
    "100 fields",
    "chunks of one byte and a trailer",
    "by name",
    "in order",
    "rows",
    "a header as key",
    "a route by Host",
    "a query",
    "an escaped target",
    "an unknown route",
    "an integer of 10,000 digits",
    "a form",
    "close",
    "another expectation",
    "v2",
    "v2, a version",
    "v2, a text",
    "v2, binary",
    "an upgrade",
]
LEFT = [
    "HTTP/1.0 that keeps alive",
    "GET",
    "PUT with a body",
    "no prediction",
    "compressed",
    "100-continue",
    "v2, gzip",
    "declared too large",
    "counted too large",
    "two at once",
    "garbage after",
]


@pytest.mark.parametrize("name", TAKEN)
async def test_request_that_is_ordinary_needs_no_application(name: str) -> None:
    fast, usual = await compare(BY_NAME[name], limits=Limits())
    assert (fast.calls, usual.server.total_requests) == (0, usual.calls)
    assert usual.calls > 0


@pytest.mark.parametrize("name", LEFT)
async def test_request_that_is_unusual_is_left_to_the_application(name: str) -> None:
    fast, usual = await compare(BY_NAME[name])
    assert fast.calls == usual.calls > 0


@pytest.mark.parametrize("size", [FAST_BYTES, FAST_BYTES + 1, 3 * FAST_BYTES])
@pytest.mark.parametrize("chunked", [False, True])
async def test_body_that_is_large_is_left_to_the_application(size: int, chunked: bool) -> None:
    body = PREDICT + b" " * (size - len(PREDICT))
    data = CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (size, body) if chunked else post(body)
    pieces = [data[begin : begin + 40_000] for begin in range(0, len(data), 40_000)]
    fast, _ = await compare(*pieces, GOOD, limits=Limits(body_bytes=4 * FAST_BYTES))
    assert fast.calls == (size > FAST_BYTES)
    assert fast.transport.received.count(OK) == 2


@pytest.mark.parametrize("declared", [True, False])
async def test_rest_of_a_body_that_was_refused_is_discarded_as_far_as_it_is_small(declared: bool) -> None:
    size = 10 * LIMITS.body_bytes
    head = HEAD + b"Host: x\r\nContent-Length: %d\r\n\r\n" % size if declared else CHUNKED + b"%x\r\n" % size
    part = b" " * (LIMITS.body_bytes + 1)
    fast, usual = await compare(head + part, part)
    assert fast.transport.received.startswith(b"HTTP/1.1 413 ")
    assert not fast.transport.ended
    assert [(await wire.send(part)).count(b"HTTP/1.1") for wire in (fast, usual)] == [1, 1]
    assert fast.state == usual.state
    assert fast.transport.ended


@pytest.mark.parametrize("head", [CHUNKED + b"FFFFF\r\n", HEAD + b"Host: x\r\nContent-Length: 1048575\r\n\r\n"])
async def test_body_that_is_long_may_take_longer(head: bytes) -> None:
    fast, _ = await compare(head, *[b" " * 32_768] * 4, limits=Limits())
    assert fast.protocol.due == fast.loop.now + Limits.body_seconds + 1 / 8


async def test_framing_of_a_body_is_bounded_by_its_length() -> None:
    fast, _ = await compare(CHUNKED + b"1;" + b"b" * 900, b"b" * (LIMITS.head_bytes + 1))
    assert fast.transport.received.startswith(b"HTTP/1.1 413 ")
    assert fast.transport.ended


@pytest.mark.parametrize(("more", "status"), [(b"", 200), (b', "parameters": {"key": 1}', 400)])
async def test_matrix_over_the_limit_of_other_bodies_is_computed_as_it_arrives(more: bytes, status: int) -> None:
    rows = 20_000
    text = b'{"inputs":[{"name":"x","shape":[%d,2],"datatype":"FP64","parameters":{"binary_data_size":%d}}]%b}'
    text %= (rows, 16 * rows, more)
    data = post(text + bytes(16 * rows), b"Inference-Header-Content-Length: %d" % len(text), b"X-User-Id: u", target=V2)
    pieces = [data[begin : begin + 40_000] for begin in range(0, len(data), 40_000)]
    fast, _ = await compare(*pieces, GOOD, limits=Limits(body_bytes=FAST_BYTES))
    assert fast.transport.received.startswith(b"HTTP/1.1 %d " % status)
    assert fast.transport.received.count(OK) == 1 + (status == 200)
    assert fast.calls == 1


async def test_head_that_is_known_is_not_parsed_again() -> None:
    fast, _ = await both()
    await fast.send(post(PREDICT))
    fast.connect()
    fast.protocol.parser = None  # type: ignore[assignment]
    for body in (PREDICT, PREDICT.replace(b"3", b"4"), b"{" * len(PREDICT)):
        await fast.send(post(body))
    assert re.findall(rb"HTTP/1.1 (\d+)", fast.transport.received) == [b"200", b"200", b"400"]
    with pytest.raises(AttributeError):
        await fast.send(post(PREDICT + b" "))


@pytest.mark.parametrize("more", range(-6, 7))
@pytest.mark.parametrize("end", [b"", b"\r", b"\r\n\r\n", b"\r\n\r\n ", b"\r\n\r\n{", b"\r\n\r\n{}"])
async def test_part_of_a_request_is_not_answered_as_the_whole(more: int, end: bytes) -> None:
    """Whatever the length of the body in comparison with that of the head."""
    head = b"POST /routes/homes/predict HTTP/1.1\r\nHost: homes\r\nA: longer than the body\r\nContent-Length: "
    length = len(head) + len(b"123") + more
    head += b"%d" % length
    whole = head + b"\r\n\r\n" + PREDICT.ljust(length)
    fast, _ = await compare(whole, head + end, late)
    assert fast.fast_path.heads
    assert b" 408 " in fast.transport.received


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n" + GOOD,
        b"\r\n" * 20 + GOOD,
        post(b" " + PREDICT),
        post(b""),
        post(PREDICT, b"A: {"),
        post(PREDICT, b"X-Request-Id: 1"),
        post(PREDICT, b"Traceparent: 00-1-2-01"),
        GOOD + b"\r\n",
        GOOD + GOOD,
        BY_NAME["chunked"],
        BY_NAME["close, then another"],
        BY_NAME["100-continue"],
        BY_NAME["HTTP/1.0 that keeps alive"],
        BY_NAME["declared too large"],
        post(PREDICT, b"A: " + b"b" * CACHED_HEAD),
    ],
)
async def test_head_is_remembered_only_of_an_ordinary_request_by_itself(data: bytes) -> None:
    fast, _ = await compare(data)
    assert not fast.fast_path.heads


async def test_heads_that_are_remembered_are_bounded() -> None:
    fast, _ = await both()
    for number in range(CACHED_HEADS + 1):
        await fast.send(post(PREDICT, b"X-Number: %d" % number))
    assert len(fast.fast_path.heads) == 1
    assert fast.transport.received.count(OK) == CACHED_HEADS + 1


async def test_date_is_that_of_the_server() -> None:
    fast, _ = await both()
    for second in (b"1", b"2"):
        fast.server.default_headers = [(b"date", second)]
        await fast.send(GOOD)
        await fast.send(post(b"{"))
    assert re.findall(rb"date: (\d)", fast.transport.received) == [b"1", b"1", b"2", b"2"]
