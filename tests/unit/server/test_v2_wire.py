"""Refusals below the application: a request to `/v1` or `/v2` gets the error that its client reads."""

import json

import pytest

from unit.server.builders import document, serving
from unit.server.corpus import GOOD, MATRIX, V2, post
from unit.server.wire import Wire

HEAD = b"POST " + V2 + b" HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

REFUSED = [
    (CHUNKED + b"zz\r\n", 400, True),
    (CHUNKED + b"1;" + b"b" * 900_000, 413, True),
    (HEAD + b"Host: y\r\n\r\n", 400, True),
    (HEAD + b"A: " + b"b" * 9_000 + b"\r\n\r\n", 431, True),
    (b"GET /v2/" + b"a" * 1_100 + b" HTTP/1.1\r\n\r\n", 414, True),
    (b"GET /v1/models HTTP/1.1\r\nHost : x\r\n\r\n", 400, True),
    (b"GET /v2/ HTTP/1.2\r\n", 400, True),
    (b"POST /v2x HTTP/1.1\r\nHost : x\r\n\r\n", 400, False),
    (b"\x00", 400, False),
    (GOOD[:60] + b"\x00\r\n\r\n", 400, False),
]


def split(response: bytes) -> tuple[int, bytes, dict[str, object]]:
    """Status, fields and JSON of a response."""
    head, _, body = response.partition(b"\r\n\r\n")
    return int(head[9:12]), head, json.loads(body)


@pytest.mark.parametrize("fast", [True, False], ids=["fast path", "application"])
@pytest.mark.parametrize(("data", "status", "plain"), REFUSED)
async def test_refusal_on_the_wire_has_the_form_of_the_protocol(
    fast: bool, data: bytes, status: int, plain: bool
) -> None:
    wire = Wire(await serving(document()), fast)
    found, head, body = split(await wire.send(data[: len(CHUNKED)], data[len(CHUNKED) :]))
    assert found == status
    assert (b"\r\ncontent-type: application/json\r\n" in head) is plain
    assert (list(body) == ["error"]) is plain
    assert ("detail" in body) is not plain


@pytest.mark.parametrize("fast", [True, False], ids=["fast path", "application"])
async def test_refusal_after_a_request_has_not_the_form_of_that_request(fast: bool) -> None:
    wire = Wire(await serving(document()), fast)
    answered = len(await wire.send(post(MATRIX, target=V2)))
    again = await wire.send(post(MATRIX, target=V2), b"\x00")
    status, _, body = split(again[again.index(b"HTTP/1.1 400") :])
    assert answered < again.index(b"HTTP/1.1 400")
    assert (status, "detail" in body) == (400, True)


@pytest.mark.parametrize("fast", [True, False], ids=["fast path", "application"])
async def test_request_that_is_late_gets_the_error_of_the_protocol(fast: bool) -> None:
    wire = Wire(await serving(document()), fast)
    await wire.send(post(MATRIX, target=V2)[:-3])
    await wire.act(lambda one: one.protocol.expire())
    status, _, body = split(wire.transport.received)
    assert (status, list(body)) == (408, ["error"])
