"""Start, handover of sockets, and shutdown of the process."""

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from integration.server.running import (
    PREDICT,
    Running,
    exited,
    gone,
    kill,
    listening,
    parent_that_dies,
    read_response,
    send_request,
)
from linplane_api.routing_folder import write_routing
from support import eventually
from unit.server.builders import document, routing

HEAD = b"POST /routes/homes/predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(PREDICT)


def test_server_is_unready_before_a_configuration_is_loaded_and_always_alive(start) -> None:  # type: ignore[no-untyped-def]
    server: Running = start(documents=(), ready=False)
    eventually(lambda: server.admin_call("GET", "/livez")[0] == 200, 20)
    status, _, body = server.admin_call("GET", "/readyz")
    assert (status, body) == (503, b"no configuration is loaded yet")
    assert server.predict()[0] == 503
    assert not server.report.exists()
    write_routing(server.config, routing(document(), sequence=5))
    eventually(lambda: server.admin_call("GET", "/readyz")[0] == 200)
    eventually(lambda: json.loads(server.report.read_text())["sequence"] == 5)


def test_sigterm_ends_an_idle_server_at_once(start) -> None:  # type: ignore[no-untyped-def]
    server: Running = start()
    with server.connect() as idle:
        begin = server.terminate()
        assert server.process.wait(5) == 0
        assert time.monotonic() - begin < 2
        assert idle.recv(10) == b""
    assert [line["message"] for line in server.logged()][-2:] == ["stopping", "stopped"]


def test_stalled_client_delays_the_shutdown_no_longer_than_allowed(start) -> None:  # type: ignore[no-untyped-def]
    server: Running = start("--graceful-seconds", "0.7", "--hard-seconds", "1")
    with server.connect() as body, server.connect() as head:
        body.sendall(HEAD + PREDICT[:5])
        head.sendall(b"POST /pre")
        time.sleep(0.1)
        begin = server.terminate()
        assert server.process.wait(5) == 0
        assert 0.6 < time.monotonic() - begin < 1.7 + 0.5


def test_request_that_is_pending_is_completed(start) -> None:  # type: ignore[no-untyped-def]
    server: Running = start()
    with server.connect() as body, server.connect() as head:
        body.sendall(HEAD + PREDICT[:5])
        head.sendall(HEAD[:20])
        eventually(lambda: server.predict()[0] == 200)
        server.terminate()
        eventually(lambda: _refused(server))
        body.sendall(PREDICT[5:])
        head.sendall(HEAD[20:] + PREDICT)
        for connection in (body, head):
            answer = read_response(connection)
            assert answer
            assert (answer[0], answer[1]["connection"]) == (200, "close")
        assert server.process.wait(5) == 0


def _refused(server: Running) -> bool:
    """Whether it is stopping; the test's own copy of the socket would take connections, so the log says it."""
    return any(line["message"] == "stopping" for line in server.logged())


def test_drain_loses_no_request(start) -> None:  # type: ignore[no-untyped-def]
    server: Running = start("--drain-seconds", "1.0")
    ready, failed, answered = threading.Event(), [], [0]
    ready.set()

    def load() -> None:
        """Reconnects for each request, as long as the server was ready when it began."""
        while ready.is_set():
            try:
                status, _, _ = server.predict()
            except OSError as error:
                failed.append(repr(error))
                return
            if status != 200:
                failed.append(status)
            answered[0] += 1

    def probe() -> None:
        """Takes the server out as soon as it says that it is not ready, a moment later at most."""
        while server.admin_call("GET", "/readyz")[0] == 200:
            time.sleep(0.05)
        time.sleep(0.3)
        ready.clear()

    threads = [threading.Thread(target=target) for target in (load, load, load, probe)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    with server.connect() as kept:
        kept.sendall(HEAD + PREDICT)
        assert read_response(kept)
        begin = server.terminate()
        eventually(lambda: server.admin_call("GET", "/readyz")[0] == 503)
        assert server.admin_call("GET", "/livez")[0] == 200
        kept.sendall(HEAD + PREDICT)
        answer = read_response(kept)
        assert answer
        assert (answer[0], answer[1]["connection"]) == (200, "close")
        for thread in threads:
            thread.join()
    assert server.process.wait(5) == 0
    assert 0.9 < time.monotonic() - begin < 3
    assert not failed
    assert answered[0] > 20


def test_second_signal_skips_the_drain(start) -> None:  # type: ignore[no-untyped-def]
    server: Running = start("--drain-seconds", "30")
    server.terminate()
    eventually(lambda: server.admin_call("GET", "/readyz")[0] == 503)
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(5) == 0


def test_restart_on_inherited_sockets_loses_no_waiting_connection(start) -> None:  # type: ignore[no-untyped-def]
    sockets = listening(), listening()
    first: Running = start(sockets=tuple(s.dup() for s in sockets))
    first.terminate()
    assert first.process.wait(5) == 0
    with first.connect() as waiting:
        waiting.sendall(HEAD + PREDICT)
        start(sockets=sockets)
        answer = read_response(waiting)
        assert answer
        assert answer[0] == 200


def test_server_exits_with_its_parent(tmp_path: Path) -> None:
    write_routing(tmp_path, routing(document()))
    pid = parent_that_dies(tmp_path)
    try:
        eventually(lambda: gone(pid))
    finally:
        kill(pid)


def test_standard_input_means_nothing_without_the_flag(start) -> None:  # type: ignore[no-untyped-def]
    server: Running = start()
    assert server.process.stdin
    server.process.stdin.close()
    time.sleep(0.2)
    assert exited(server) is None


def test_start_with_a_port_in_use_or_an_empty_token_file_fails_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\n")
    taken = listening()
    for flags in (
        ["--port", str(taken.getsockname()[1])],
        ["--port", "0", "--admin-token-file", str(tmp_path / "token")],
    ):
        command = [sys.executable, "-m", "linplane_server", "--config", str(tmp_path), "--admin-port", "0", *flags]
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode == 1
        assert json.loads(done.stderr.splitlines()[-1])["message"] == "cannot start"
    taken.close()


def test_ports_are_bound_if_no_socket_is_inherited(start, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    log = tmp_path / "log"
    write_routing(tmp_path / "c", routing(document()))
    command = [
        sys.executable,
        "-m",
        "linplane_server",
        "--config",
        str(tmp_path / "c"),
        "--port",
        "0",
        "--admin-port",
        "0",
    ]
    with log.open("wb") as out:
        process = subprocess.Popen([*command, "--single-route"], stderr=out)
    try:
        line = eventually(lambda: log.read_text().splitlines()[:1])[0]
        port = int(json.loads(line)["public"].rsplit(":", 1)[1])
        eventually(lambda: send_request(port, "POST", "/predict", PREDICT, {})[0] == 200)
    finally:
        process.terminate()
        assert process.wait(5) == 0
