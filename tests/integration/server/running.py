"""The real process on sockets of our own, and a minimal HTTP client."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from support import eventually

Response = tuple[int, dict[str, str], bytes]

PREDICT = b'{"features":{"area":2,"rooms":3}}'


class Running:
    """One server. `folder` holds its routing documents, its report and its log."""

    def __init__(
        self,
        folder: Path,
        *flags: str,
        sockets: tuple[socket.socket, socket.socket] | None = None,
        ready: bool = True,
        report: bool = True,
    ) -> None:
        self.folder = folder
        self.config = folder / "config"
        self.report = folder / "report.json"
        self.log = folder / "log"
        self.public, self.admin = sockets or (listening(), listening())
        self.port: int = self.public.getsockname()[1]
        self.admin_port: int = self.admin.getsockname()[1]
        command = [sys.executable, "-m", "linplane_server", "--config", str(self.config)]
        command += ["--report", str(self.report)] if report else []
        command += ["--public-fd", str(self.public.fileno()), "--admin-fd", str(self.admin.fileno())]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *flags], stdin=subprocess.PIPE, stdout=log, stderr=log,
                pass_fds=(self.public.fileno(), self.admin.fileno()),
            )  # fmt: skip
        if ready:
            try:
                eventually(lambda: self.admin_call("GET", "/readyz")[0] == 200, 60)
            except BaseException:
                self.stop()
                raise

    def stop(self) -> None:
        """Kills it."""
        self.process.kill()
        self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()
        self.public.close()
        self.admin.close()

    def terminate(self) -> float:
        """Sends SIGTERM, and returns the time."""
        self.process.send_signal(signal.SIGTERM)
        return time.monotonic()

    def predict(self, data: bytes = PREDICT, path: str = "/routes/homes/predict", **headers: str) -> Response:
        return send_request(self.port, "POST", path, data, headers)

    def version(self, route: str = "homes") -> Any:
        """The version that answers now; None for any other response."""
        status, _, body = self.predict(path=f"/routes/{route}/predict")
        return json.loads(body)["version"] if status == 200 else None

    def admin_call(self, method: str, path: str, **headers: str) -> Response:
        return send_request(self.admin_port, method, path, None, headers)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def memory(self, field: str = "VmRSS") -> int:
        """In KiB; VmHWM is the peak."""
        found = re.search(rf"{field}:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text())
        assert found
        return int(found[1])

    def forget_peak(self) -> None:
        """Makes VmHWM what it is now (proc(5), clear_refs)."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    @property
    def grpc_address(self) -> str:
        """Host and port of gRPC, which the server logs."""
        found: str = next(line["grpc"] for line in self.logged() if line["message"] == "started")
        return found

    def logged(self) -> list[dict[str, Any]]:
        """Every line, each one JSON object."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


def listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0), backlog=2048)


def send_request(
    port: int, method: str, path: str, data: bytes | None, headers: dict[str, str], timeout: float = 10
) -> Response:
    """One request on a connection of its own; underscores in a header's name are hyphens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, data, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
    finally:
        connection.close()


def read_response(connection: socket.socket) -> Response | None:
    """The next response on a connection; None if it ends instead."""
    try:
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
    except (ConnectionError, http.client.BadStatusLine):
        return None


def at_end(connection: socket.socket) -> bool:
    """Whether the server has ended the connection, even with data before that."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


def exited(running: Running) -> int | None:
    return running.process.poll()


def parent_that_dies(folder: Path) -> int:
    """Starts a server from a process that then kills itself; returns the server's id."""
    code = (
        "import os,signal,subprocess,sys\n"
        "p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)\n"
        "print(p.pid, flush=True)\n"
        "sys.stdin.readline()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    server = [sys.executable, "-m", "linplane_server", "--config", str(folder), "--port", "0", "--admin-port", "0"]
    report = folder / "report.json"
    command = [sys.executable, "-c", code, *server, "--exit-with-stdin", "--report", str(report)]
    with (folder / "log").open("wb") as log:
        parent = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
    assert parent.stdin
    assert parent.stdout
    pid = int(parent.stdout.readline())
    eventually(report.exists, 20)
    parent.stdin.write(b"\n")
    parent.stdin.close()
    parent.wait()
    parent.stdout.close()
    return pid


def gone(pid: int) -> bool:
    """Whether a process has ended; a zombie has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def kill(pid: int) -> None:
    """Kills a process that should have ended."""
    if not gone(pid):
        os.kill(pid, signal.SIGKILL)
