"""HTTP itself: requests that are refused before an application sees them, and requests that are not."""

import contextlib
import json
import select
import socket
from collections.abc import Iterator

import pytest

from integration.server.running import PREDICT, Running, at_end, read_response
from linplane_api.routing_folder import write_routing
from linplane_server.settings import Limits
from support import eventually
from unit.server.builders import document, routing
from unit.server.corpus import GOOD, HEAD, LENGTH, TAKEN, UNPARSABLE


@pytest.fixture(scope="module", params=[[], ["--no-fast-path"]], ids=["fast path", "application"])
def server(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Running]:
    """A server for each of the two ways to answer."""
    folder = tmp_path_factory.mktemp("server")
    write_routing(folder / "config", routing(document()))
    running = Running(folder, "--body-seconds", "60", *request.param)
    yield running
    running.stop()


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


@pytest.mark.parametrize(("data", "status"), [row[1:] for row in UNPARSABLE], ids=[row[0] for row in UNPARSABLE])
def test_refused_request_gets_its_code_and_the_connection_closes(server: Running, data: bytes, status: int) -> None:
    with server.connect() as connection:
        send(connection, data)
        answer = read_response(connection)
        assert answer is not None
        assert (answer[0], answer[1]["connection"]) == (status, "close")
        assert json.loads(answer[2])["status"] == status
        assert at_end(connection)
    assert server.predict()[0] == 200


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


def test_pipelined_requests_are_answered_after_the_client_has_closed_its_half(server: Running) -> None:
    with server.connect() as connection:
        connection.sendall(GOOD * 50)
        connection.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert received.count(b"HTTP/1.1 200 ") == 50
    assert received.endswith(b"}")


def assigned(splitting: Running, *values: bytes) -> tuple[str, str]:
    """The version that answers a request with these values of the field that the split goes by, and by what it does."""
    fields = b"".join(b"X-User-Id:%b\r\n" % value for value in values)
    with splitting.connect() as connection:
        connection.sendall(HEAD + b"Host: x\r\n" + LENGTH + fields + b"\r\n" + PREDICT)
        answer = read_response(connection)
    assert answer
    body = json.loads(answer[2])
    return body["version"], body["assignedBy"]


@pytest.mark.parametrize("around", [(b"", b" "), (b"", b"\t"), (b" ", b" \t "), (b"\t", b"")])
def test_whitespace_around_a_field_is_not_part_of_its_value(splitting: Running, around: tuple[bytes, bytes]) -> None:
    users = [b"user-%d" % number for number in range(40)]
    plain = [assigned(splitting, user) for user in users]
    assert {version for version, _ in plain} == {"v1", "v2"}
    assert {source for _, source in plain} == {"header"}
    assert [assigned(splitting, around[0] + user + around[1]) for user in users] == plain
    assert assigned(splitting, around[0] + around[1])[1] == "features"


def test_repeated_field_is_as_if_its_values_came_in_one(splitting: Running) -> None:
    users = [b"user-%d" % number for number in range(40)]
    several = [assigned(splitting, user, b"user-2") for user in users]
    assert {version for version, _ in several} == {"v1", "v2"}
    assert several == [assigned(splitting, user + b", user-2") for user in users]


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
    size = Limits.body_bytes + 1
    big = HEAD + b"Host: x\r\nContent-Length: %d\r\n\r\n" % size + b" " * size
    with server.connect() as connection:
        for data, status in ((bad, 400), (GOOD, 200), (big, 413), (GOOD, 200)):
            connection.sendall(data)
            answer = read_response(connection)
            assert answer
            assert answer[0] == status


def test_body_over_the_limit_is_refused_by_its_length_before_it_is_sent(server: Running) -> None:
    with server.connect() as connection:
        connection.sendall(
            HEAD + b"Host: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % (Limits.body_bytes + 1)
        )
        answer = read_response(connection)
        assert answer
        assert answer[0] == 413


@pytest.mark.parametrize(("length", "status"), [(0, 100), (1, 413)])
def test_csv_may_be_64_times_as_large_as_other_bodies(server: Running, length: int, status: int) -> None:
    head = b"POST /routes/homes/invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nExpect: 100-continue\r\n"
    with server.connect() as connection:
        connection.sendall(head + b"Content-Length: %d\r\n\r\n" % (64 * Limits.body_bytes + length))
        assert connection.recv(100).startswith(b"HTTP/1.1 %d " % status)


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


def test_body_is_refused_for_now_while_others_are_all_that_may_be_held(server: Running) -> None:
    """One more than fit, each without its last byte; the others are completed."""
    limits = Limits()
    fitting = limits.in_flight_bytes // limits.body_bytes
    body = PREDICT.ljust(limits.body_bytes)
    head = HEAD + b"Host: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(server.connect()) for _ in range(fitting + 1)]
        for connection in connections:
            send(connection, head + body[:-1])
        answered, _, _ = select.select(connections, [], [], 60)
        (refused,) = answered
        answer = read_response(refused)
        assert answer
        assert (answer[0], answer[1]["retry-after"]) == (503, "1")
        assert server.admin_call("GET", "/readyz")[0] == 200
        connections.remove(refused)
        for connection in connections:
            connection.sendall(body[-1:])
        answers = [read_response(connection) for connection in connections]
    assert [answer[0] for answer in answers if answer] == [200] * fitting
    assert server.predict(body)[0] == 200


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
