"""Slow clients are disconnected in time, and do not slow others until then."""

import contextlib
import socket
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.server.running import PREDICT, Running, at_end, read_response
from linplane_api.routing_folder import write_routing
from unit.server.builders import document, routing

HEAD = b"POST /routes/homes/predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(PREDICT)
SECONDS = 0.4
FLAGS = ["first-byte", "head", "body", "answer", "idle", "linger"]


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp("hasty")
    write_routing(folder / "config", routing(document()))
    running = Running(folder, *(part for name in FLAGS for part in (f"--{name}-seconds", str(SECONDS))))
    yield running
    running.stop()


SLOW = [
    ("says nothing", b"", b"", None),
    ("trickles an empty line", b"", b"\r\n", None),
    ("trickles its head", b"POST /predict HTTP/1.1\r\nHost: x\r\n", b"X: y\r\n", 408),
    ("trickles one field", b"POST /predict HTTP/1.1\r\nHost: x\r\nX: ", b"y", 408),
    ("stalls in its head", b"POST /pre", b"", 408),
    ("stalls before its body", HEAD, b"", 408),
    ("stalls in its body", HEAD + PREDICT[:9], b"", 408),
    ("trickles its body", HEAD, b" ", 408),
    ("stalls in a chunk", HEAD.replace(b"Content-Length: 33", b"Transfer-Encoding: chunked") + b"9\r\n{", b"", 408),
    ("trickles a chunk's size", HEAD.replace(b"Content-Length: 33", b"Transfer-Encoding: chunked"), b"0", 408),
]


@pytest.mark.parametrize(("begin", "drip", "status"), [row[1:] for row in SLOW], ids=[row[0] for row in SLOW])
def test_slow_client_is_disconnected_in_time(hasty: Running, begin: bytes, drip: bytes, status: int | None) -> None:
    started = time.monotonic()
    with hasty.connect() as connection:
        connection.sendall(begin)
        connection.settimeout(0.05)
        received = b""
        while time.monotonic() - started < 5:
            try:
                data = connection.recv(4096)
            except TimeoutError:
                if drip:
                    _try(connection, drip)
                continue
            except ConnectionError:
                break
            if not data:
                break
            received += data
        took = time.monotonic() - started
    assert SECONDS * 0.9 <= took < SECONDS + 0.6
    assert received.startswith(b"HTTP/1.1 %d " % status) if status else received == b""


def _try(connection: socket.socket, data: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        connection.sendall(data)


def _keep_sending(connection: socket.socket, data: bytes) -> None:
    """A ConnectionError is what is waited for, so it must not count as not yet."""
    while True:
        try:
            connection.sendall(data)
        except TimeoutError:
            continue


def test_idle_connection_is_closed_after_its_response(hasty: Running) -> None:
    with hasty.connect() as connection:
        for _ in range(3):
            connection.sendall(HEAD + PREDICT)
            answer = read_response(connection)
            assert answer
            assert answer[0] == 200
            time.sleep(SECONDS / 2)  # not idle for long enough
        assert at_end(connection)


def test_client_that_does_not_read_its_responses_is_disconnected(hasty: Running) -> None:
    rows = b'{"rows":[' + b",".join([b"[0.1,1e-9]"] * 5000) + b"]}"
    request = b"POST /routes/homes/predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(rows) + rows
    with hasty.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(0.2)
        with pytest.raises(ConnectionError):
            _keep_sending(connection, request)
    assert hasty.predict()[0] == 200


def test_slow_connections_by_the_thousand_do_not_slow_the_others(server: Running) -> None:
    def median() -> float:
        times = []
        with server.connect() as connection:
            for _ in range(200):
                begin = time.perf_counter()
                connection.sendall(HEAD + PREDICT)
                answer = read_response(connection)
                times.append(time.perf_counter() - begin)
                assert answer
                assert answer[0] == 200
        return statistics.median(times)

    alone = median()
    slow = [server.connect() for _ in range(1000)]
    try:
        for connection in slow:
            connection.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\n")
        assert median() < 3 * alone + 0.001
        assert server.admin_call("GET", "/livez")[0] == 200
        assert server.admin_call("GET", "/readyz")[0] == 200
    finally:
        for connection in slow:
            connection.close()
