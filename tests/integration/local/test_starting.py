"""A failed start is one line with exit code 2; a signal stops in order."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from integration.local.running import Local, free_port, route, synthetic, weights
from support import eventually


def refused(*arguments: str) -> str:
    """The one line of a `linplane local` that does not start."""
    command = [sys.executable, "-m", "linplane_cli", "local", *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert answer.returncode == 2, answer
    lines = (answer.stdout + answer.stderr).splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def test_missing_folder(tmp_path: Path) -> None:
    assert refused(str(tmp_path / "x")) == f"linplane: folder {tmp_path}/x: No such file or directory"
    (tmp_path / "file").touch()
    assert "Not a directory" in refused(str(tmp_path / "file"))
    assert not (tmp_path / "x").exists()


def test_unwritable_state_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "use --state for another" in refused(str(tmp_path), "--state", str(tmp_path / "file"))
    assert "use --state for another" in refused(str(tmp_path), "--state", "/proc/state")
    assert "the folder of manifests" in refused(str(tmp_path), "--state", str(tmp_path))


def test_ports_that_are_in_use_or_impossible(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert "Address already in use" in refused(str(tmp_path), "--port", str(port), "--admin-port", "0")
        assert "--admin-port" in refused(str(tmp_path), "--port", "0", "--admin-port", str(port))
        free = ("--port", "0", "--admin-port", "0")
        assert "Address already in use" in refused(str(tmp_path), *free, "--grpc-port", str(port))
    port = free_port()
    assert "Address already in use" in refused(str(tmp_path), "--port", str(port), "--admin-port", str(port))
    assert "192.0.2.1:" in refused(str(tmp_path), "--host", "192.0.2.1")


def test_token_file_missing_or_empty(tmp_path: Path) -> None:
    assert "No such file" in refused(str(tmp_path), "--admin-token-file", str(tmp_path / "token"))
    (tmp_path / "token").write_text("\n")
    assert "is empty" in refused(str(tmp_path), "--admin-token-file", str(tmp_path / "token"))


def test_second_app_on_the_same_state_is_refused(local: Local) -> None:
    local.start()
    line = refused(str(local.folder), "--state", str(local.state), "--port", "0", "--admin-port", "0")
    assert line.endswith(f"is in use by another linplane local, process {local.pid}")


def test_state_belongs_to_one_folder_unless_moved(local: Local, tmp_path: Path) -> None:
    local.save("v1.yaml", synthetic("rent", "v1"))
    local.start()
    eventually(local.trained)
    local.stop()
    other = tmp_path / "other"
    other.mkdir()
    assert f"belongs to {local.folder}" in refused(str(other), "--state", str(local.state))
    other.rmdir()
    local.folder = local.folder.rename(other)
    local.start()
    eventually(lambda: local.is_ready("linearmodels", "rent-v1"))
    assert len(local.trained()) == 1


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_port_0_takes_a_free_one_and_says_which(local: Local, host: str) -> None:
    if host == "::1" and not _has_ipv6():
        pytest.skip("this machine has no IPv6")
    local.port = local.admin_port = 0
    local.options = ("--host", host)
    local.launch()
    eventually(lambda: "serving" in local.text)
    shown = "[::1]" if host == "::1" else host
    assert f"at http://{shown}:" in local.text
    assert ":0," not in local.text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_stops_in_order_during_a_training(local: Local, number: signal.Signals) -> None:
    local.save("v1.yaml", weights("rent", "v1", {"area": 2.0}, 1.0) + "---\n" + route("rent", "v1"))
    local.save("v2.yaml", synthetic("rent", "v2", samples=20_000_000, features=16))
    local.start()
    local.answers_with("rent", "v1")
    eventually(lambda: local.children("linplane_trainer"))
    began = time.monotonic()
    assert local.stop(number) == 0
    assert time.monotonic() - began < 2
    assert local.children() == []
    assert local.printed("stopped")
    assert local.temporaries() == []


def test_stop_does_not_wait_for_an_endless_request(local: Local) -> None:
    local.save("v1.yaml", weights("rent", "v1", {"area": 2.0}, 1.0) + "---\n" + route("rent", "v1"))
    local.start()
    local.answers_with("rent", "v1")
    with contextlib.closing(socket.create_connection(("127.0.0.1", local.port))) as half:
        half.sendall(b"POST /predict HTTP/1.1\r\nHost: a\r\n")
        began = time.monotonic()
        assert local.stop() == 0
        assert time.monotonic() - began < 5
    assert local.children() == []


def test_second_signal_stops_at_once(local: Local) -> None:
    local.save("v1.yaml", weights("rent", "v1", {"area": 2.0}, 1.0) + "---\n" + route("rent", "v1"))
    local.start()
    local.answers_with("rent", "v1")
    (server,) = local.children("linplane_server")
    os.kill(server, signal.SIGSTOP)  # it will not end by itself
    process = local.process
    assert process is not None
    began = time.monotonic()

    def ended() -> bool:
        process.send_signal(signal.SIGINT)  # an impatient person
        return process.poll() is not None

    eventually(ended)
    assert process.returncode == 0
    assert time.monotonic() - began < 3
    assert local.children() == []


def test_closed_standard_output_does_not_end_local_mode(local: Local) -> None:
    local.save("v1.yaml", weights("rent", "v1", {"area": 2.0}, 1.0) + "---\n" + route("rent", "v1"))
    command = [sys.executable, "-m", "linplane_cli", "local", str(local.folder), "--state", str(local.state)]
    ports = ["--port", str(local.port), "--admin-port", str(local.admin_port)]
    read, write = os.pipe()
    os.close(read)
    process = subprocess.Popen([*command, *ports], stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    try:
        local.answers_with("rent", "v1")
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate(timeout=10)
        assert (process.returncode, error) == (0, "")
    finally:
        process.kill()


def test_cores_without_sched_getaffinity(tmp_path: Path) -> None:
    """Like macOS: Python has no such function there."""
    code = "import os; del os.sched_getaffinity; from linplane_cli.main import main; main()"
    command = [sys.executable, "-c", code, "local", str(tmp_path), "--port", "0", "--admin-port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        assert "serving" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.communicate()
