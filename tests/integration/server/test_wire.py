"""HTTP itself: requests that are refused before an application sees them, and requests that are not."""

import contextlib
import json
import socket
from collections.abc import Iterator

import pytest

from integration.server.running import PREDICT, Running, at_end, read_response
from linplane_api.routing_folder import write_routing
from support import eventually
from unit.server.builders import document, routing

HEAD = b"POST /routes/homes/predict HTTP/1.1\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(PREDICT)
GOOD = HEAD + b"Host: x\r\n" + LENGTH + b"\r\n" + PREDICT
CHUNKED = HEAD + b"Host: x\r\nTransfer-Encoding: chunked\r\n\r\n"

REFUSED = [
    ("CL and TE", HEAD + b"Host: x\r\n" + LENGTH + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("TE and CL", HEAD + b"Host: x\r\nTransfer-Encoding: chunked\r\n" + LENGTH + b"\r\n0\r\n\r\n", 400),
    ("two CL", HEAD + b"Host: x\r\n" + LENGTH + LENGTH + b"\r\n" + PREDICT, 400),
    ("two CL that differ", HEAD + b"Host: x\r\n" + LENGTH + b"Content-Length: 1\r\n\r\n" + PREDICT, 400),
    ("a CL list", HEAD + b"Host: x\r\nContent-Length: 3, 3\r\n\r\nabc", 400),
    ("a negative CL", HEAD + b"Host: x\r\nContent-Length: -1\r\n\r\n", 400),
    ("an enormous CL", HEAD + b"Host: x\r\nContent-Length: 99999999999999999999999\r\n\r\n", 400),
    ("an unknown TE", HEAD + b"Host: x\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
    ("TE of chunked and more", HEAD + b"Host: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
    ("no Host", HEAD + LENGTH + b"\r\n" + PREDICT, 400),
    ("two Hosts", HEAD + b"Host: x\r\nHost: y\r\n" + LENGTH + b"\r\n" + PREDICT, 400),
    ("bare LF everywhere", GOOD.replace(b"\r\n", b"\n"), 400),
    ("bare LF after a field", HEAD + b"Host: x\n" + LENGTH + b"\r\n" + PREDICT, 400),
    ("bare CR", HEAD + b"Host: x\r\nX: a\rb\r\n\r\n", 400),
    ("NUL in a field", HEAD + b"Host: x\r\nX: a\x00b\r\n\r\n", 400),
    ("a space before the colon", HEAD + b"Host : x\r\n\r\n", 400),
    ("a folded field", HEAD + b"Host: x\r\nX: a\r\n b\r\n\r\n", 400),
    ("a bad chunk size", HEAD + b"Host: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    ("bare LF in a chunk", HEAD + b"Host: x\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n", 400),
    ("HTTP/1.2", GOOD.replace(b"1.1", b"1.2", 1), 400),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ("CONNECT", b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("a target that is none", b"POST http://[ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("a target over 8 KiB", b"GET /" + b"a" * 8200 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    ("a target without an end", b"GET /" + b"a" * 200_000, 414),
    ("101 fields", HEAD + b"Host: x\r\n" + b"A: b\r\n" * 100 + b"\r\n", 431),
    ("5,000 fields", HEAD + b"Host: x\r\n" + b"A: b\r\n" * 5000 + b"\r\n", 431),
    ("a field of 64 KiB", HEAD + b"Host: x\r\nA: " + b"b" * 65_536 + b"\r\n\r\n", 431),
    ("a field without an end", HEAD + b"Host: x\r\nA: " + b"b" * 2_000_000, 431),
    ("trailers of 64 KiB", CHUNKED + b"0\r\nA: " + b"b" * 70_000 + b"\r\n\r\n", 431),
    ("a chunk extension without an end", CHUNKED + b"1;" + b"b" * 900_000, 413),
]


@pytest.fixture(scope="module")
def splitting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server whose route is split by a header."""
    folder = tmp_path_factory.mktemp("splitting")
    write_routing(folder / "config", routing(document(split=[("v2", 5000)], header="X-User-Id")))
    running = Running(folder)
    yield running
    running.stop()


def send(connection: socket.socket, data: bytes) -> None:
    """Sends until the server stops reading."""
    with contextlib.suppress(ConnectionError):
        connection.sendall(data)


@pytest.mark.parametrize(("data", "status"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused_request_gets_its_code_and_the_connection_closes(server: Running, data: bytes, status: int) -> None:
    with server.connect() as connection:
        send(connection, data)
        answer = read_response(connection)
        assert answer is not None
        assert (answer[0], answer[1]["connection"]) == (status, "close")
        assert json.loads(answer[2])["status"] == status
        assert at_end(connection)
    assert server.predict()[0] == 200


H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
FULL = PREDICT + b" " * (65_536 - len(PREDICT))


def single(data: bytes) -> bytes:
    """In chunks of one byte."""
    return b"".join(b"1\r\n%c\r\n" % byte for byte in data)


TAKEN = [
    ("as usual", GOOD, 1),
    ("HTTP/1.0 without Host", GOOD.replace(b"1.1", b"1.0", 1).replace(b"Host: x\r\n", b""), 1),
    ("two at once", GOOD * 2, 2),
    ("fifty at once", GOOD * 50, 50),
    ("an absolute target", GOOD.replace(b"/routes", b"http://x/routes", 1), 1),
    ("a target of 8,000 bytes", GOOD.replace(b"predict ", b"predict?" + b"a" * 7900 + b" ", 1), 1),
    ("100 fields", HEAD + b"Host: x\r\n" + LENGTH + b"A: b\r\n" * 98 + b"\r\n" + PREDICT, 1),
    ("an upgrade that is not offered", GOOD.replace(b"Host: x\r\n", b"Host: x\r\n" + H2C) * 2 + GOOD, 3),
    ("chunks of one byte and a trailer", CHUNKED + single(PREDICT) + b"0\r\nA: b\r\n\r\n", 1),
    ("64 KiB in chunks of one byte", CHUNKED + single(FULL) + b"0\r\n\r\n", 1),
    ("64 KiB at once", HEAD + b"Host: x\r\nContent-Length: 65536\r\n\r\n" + FULL, 1),
]


@pytest.mark.parametrize(("data", "count"), [row[1:] for row in TAKEN], ids=[row[0] for row in TAKEN])
def test_allowed_request_is_answered(server: Running, data: bytes, count: int) -> None:
    with server.connect() as connection:
        connection.sendall(data)
        reader = connection.makefile("rb")
        for _ in range(count):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = reader.readline()
                assert line
                head += line
            assert head.startswith(b"HTTP/1.1 200 ")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            assert json.loads(reader.read(length))["prediction"] == 35
        reader.close()


@pytest.mark.parametrize("around", [(b"", b" "), (b"", b"\t"), (b" ", b" \t "), (b"\t", b"")])
def test_whitespace_around_a_field_is_not_part_of_its_value(splitting: Running, around: tuple[bytes, bytes]) -> None:
    def assigned(user: bytes) -> tuple[str, str]:
        with splitting.connect() as connection:
            connection.sendall(HEAD + b"Host: x\r\n" + LENGTH + b"X-User-Id:" + user + b"\r\n\r\n" + PREDICT)
            answer = read_response(connection)
        assert answer
        body = json.loads(answer[2])
        return body["version"], body["assignedBy"]

    users = [b"user-%d" % number for number in range(40)]
    plain = [assigned(user) for user in users]
    assert {version for version, _ in plain} == {"v1", "v2"}
    assert {source for _, source in plain} == {"header"}
    assert [assigned(around[0] + user + around[1]) for user in users] == plain
    assert assigned(around[0] + around[1])[1] == "features"


def test_request_in_single_bytes_is_answered(server: Running) -> None:
    with server.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in GOOD:
            connection.sendall(bytes([byte]))
        answer = read_response(connection)
        assert answer
        assert answer[0] == 200


def test_garbage_after_a_request_does_not_touch_its_answer(server: Running) -> None:
    with server.connect() as connection:
        connection.sendall(GOOD + b"\x00garbage\r\n\r\n")
        answer = read_response(connection)
        assert answer
        assert answer[0] == 200
        assert at_end(connection)


def test_connection_stays_open_after_a_refusal_of_the_application(server: Running) -> None:
    bad = HEAD + b"Host: x\r\nContent-Length: 1\r\n\r\n{"
    big = HEAD + b"Host: x\r\nContent-Length: 70000\r\n\r\n" + b" " * 70_000
    with server.connect() as connection:
        for data, status in ((bad, 400), (GOOD, 200), (big, 413), (GOOD, 200)):
            connection.sendall(data)
            answer = read_response(connection)
            assert answer
            assert answer[0] == status


def test_body_over_the_limit_is_refused_by_its_length_before_it_is_sent(server: Running) -> None:
    with server.connect() as connection:
        connection.sendall(HEAD + b"Host: x\r\nExpect: 100-continue\r\nContent-Length: 65537\r\n\r\n")
        answer = read_response(connection)
        assert answer
        assert answer[0] == 413


def test_body_within_the_limit_is_continued(server: Running) -> None:
    with server.connect() as connection:
        connection.sendall(HEAD + b"Host: x\r\nExpect: 100-continue\r\n" + LENGTH + b"\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(PREDICT)
        answer = read_response(connection)
        assert answer
        assert answer[0] == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_body_of_64_mb_is_refused_and_not_kept(server: Running, chunked: bool) -> None:
    server.predict()
    before = server.memory("VmHWM")
    field = b"Transfer-Encoding: chunked\r\n" if chunked else b"Content-Length: 67108864\r\n"
    block = b"10000\r\n" + b" " * 65_536 + b"\r\n" if chunked else b" " * 65_536
    with server.connect() as connection:
        connection.sendall(HEAD + b"Host: x\r\n" + field + b"\r\n")
        for _ in range(1024):
            send(connection, block)
        answer = read_response(connection)
        assert answer
        assert answer[0] == 413
    assert server.memory("VmHWM") - before < 5 * 1024


def test_connections_of_one_address_can_be_bounded(start) -> None:  # type: ignore[no-untyped-def]
    server: Running = start("--connections-per-peer", "3", "--linger-seconds", "0.1")
    held = [server.connect() for _ in range(3)]
    for connection in held:
        connection.sendall(GOOD)
        assert read_response(connection)
    with server.connect() as one_more:
        answer = read_response(one_more)
        assert answer
        assert answer[0] == 429
    held.pop().close()
    eventually(lambda: server.predict()[0] == 200)
    for connection in held:
        connection.close()
