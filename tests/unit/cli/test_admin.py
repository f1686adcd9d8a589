"""`status`, `switch`, `freeze`, `unfreeze`: each sends one request and prints the answer, or the failure in a line."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from linplane_api.locks import lock
from linplane_cli.main import main

STATUS = {
    "replica": "pod-1", "server": "default", "ready": True, "configMapUID": "u", "sequence": 4, "rejected": {},
    "switches": [{"route": "rent", "from": "v1", "to": "v2", "at": "2026-01-01T00:00:00Z"}],
    "routes": {
        "rent": {
            "current": "v2", "traffic": [{"version": "v2", "percent": 90.0}, {"version": "v1", "percent": 10.0}],
            "unavailable": None, "revision": "r", "sequence": 4, "refused": {},
            "versions": {
                "v1": {"hits": 0, "errors": 0, "meanLatencyMs": None, "lackedFeature": 0},
                "v2": {"hits": 9, "errors": 1, "meanLatencyMs": 0.1234, "lackedFeature": 0},
            },
        }
    },
}  # fmt: skip


class Stub:
    """An admin port that gives one answer and records the requests."""

    def __init__(self) -> None:
        self.answer: tuple[int, bytes] = (200, b"{}")
        self.asked: list[tuple[str, str, str]] = []
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._give("GET")

            def do_POST(self) -> None:
                self._give("POST")

            def _give(self, method: str) -> None:
                stub.asked.append((method, self.path, self.headers.get("Authorization", "")))
                self.send_response(stub.answer[0])
                self.end_headers()
                self.wfile.write(stub.answer[1])

            def log_message(self, *_: Any) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def gives(self, status: int, body: object) -> None:
        """Sets the next answers."""
        self.answer = (status, body if isinstance(body, bytes) else json.dumps(body).encode())

    def stop(self) -> None:
        """Stops the server."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def stub() -> Iterator[Stub]:
    """A running stub."""
    one = Stub()
    yield one
    one.stop()


def run(*arguments: str | Path) -> Result:
    """The result of the command."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_status_prints_versions_and_switches(stub: Stub) -> None:
    stub.gives(200, STATUS)
    answer = run("status", "--url", stub.url + "/")
    assert answer.exit_code == 0, answer.output
    assert answer.stdout == (
        "replica pod-1, ready, sequence 4\n"
        "\n"
        "ROUTE   VERSION   CURRENT   PERCENT   HITS   ERRORS   MEAN MS\n"
        "rent    v1                  10        0      0\n"
        "rent    v2        *         90        9      1        0.123\n"
        "\n"
        "ROUTE   FROM   TO   AT\n"
        "rent    v1     v2   2026-01-01T00:00:00Z\n"
    )
    assert stub.asked == [("GET", "/status", "")]
    for one in (["rent"], ["--route", "rent"]):
        assert run("status", *one, "--url", stub.url).stdout == answer.stdout
    for other in (["other"], ["--route", "other"]):
        assert run("status", *other, "--url", stub.url).stderr == "linplane: the server has no route other\n"
    assert json.loads(run("status", "--url", stub.url, "-o", "json").stdout) == STATUS


@pytest.mark.parametrize(
    ("command", "path", "body", "shown"),
    [
        ("switch", "/switch_model", {"route": "r", "from": "v1", "to": "v2", "converged": True},
         "r: v2 is the current version, before v1"),
        ("switch", "/switch_model", {"route": "r", "from": "v1", "to": "v2", "converged": False},
         "r: v2 is the current version, before v1; not every replica has loaded it yet"),
        ("freeze", "/freeze", {"model": "r", "version": "v2", "frozen": True, "withdrawn": True}, "r v2 is frozen"),
        ("freeze", "/freeze", {"model": "r", "version": "v2", "frozen": True, "withdrawn": False},
         "r v2 is frozen; a replica may still serve it"),
        ("unfreeze", "/unfreeze", {"model": "r", "version": "v2", "frozen": False, "observed": True},
         "r v2 is not frozen"),
    ],
)  # fmt: skip
def test_admin_call_is_made_and_its_effect_printed(
    stub: Stub, command: str, path: str, body: dict[str, Any], shown: str
) -> None:
    stub.gives(200, body)
    answer = run(command, "v2", "--url", stub.url, "--route", "r")
    assert (answer.exit_code, answer.stdout) == (0, f"{shown}\n")
    assert stub.asked == [("POST", f"{path}?version=v2&route=r", "")]
    assert json.loads(run(command, "v2", "--url", stub.url, "-o", "json").stdout) == body


def test_folder_is_that_of_a_running_local_mode(stub: Stub, tmp_path: Path) -> None:
    stub.gives(200, {"model": "r", "version": "v2", "frozen": True, "withdrawn": True})
    missing = f"{tmp_path}/.linplane has no state yet: start `linplane local --dir {tmp_path}`"
    assert missing in run("freeze", "v2", "--dir", tmp_path).stderr
    state = tmp_path / "state"
    (state / "objects").mkdir(parents=True)
    words = ("freeze", "v2", "--dir", tmp_path, "--state", state)
    stopped = f"linplane: linplane local is not running here: start `linplane local --dir {tmp_path}`\n"
    assert run(*words).stderr == stopped
    (state / "admin").write_text(stub.url)
    assert run(*words).stderr == stopped, "of one that has ended"
    with lock(state / "lock", wait=False):
        assert run(*words).stdout == "r v2 is frozen\n"
    assert stub.asked == [("POST", "/freeze?version=v2", "")]
    assert "--state is for --dir" in run("status", "--url", stub.url, "--state", state).stderr
    assert "two places" in run("status", "--url", stub.url, "--dir", tmp_path).stderr


def test_warning_goes_to_standard_error(stub: Stub) -> None:
    stub.gives(200, {"model": "r", "version": "v2", "frozen": True, "withdrawn": True, "warnings": ["one", "two"]})
    assert run("freeze", "v2", "--url", stub.url).stderr == "Warning: one\nWarning: two\n"


def test_token_is_sent_and_arguments_are_quoted(stub: Stub, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    run("freeze", "a&b=c", "--url", stub.url, "--token-file", tmp_path / "token")
    assert stub.asked == [("POST", "/freeze?version=a%26b%3Dc", "Bearer secret")]
    (tmp_path / "token").write_bytes(b"\xff")
    answer = run("freeze", "v1", "--url", stub.url, "--token-file", tmp_path / "token")
    assert "is not plain text" in answer.stderr
    assert "secret" not in answer.output


@pytest.mark.parametrize(
    ("status", "body", "shown"),
    [
        (409, {"status": 409, "detail": "r-v2 is frozen; unfreeze it first"}, "409 r-v2 is frozen; unfreeze it first"),
        (404, {"status": 404, "detail": "there is no version r-v9"}, "404 there is no version r-v9"),
        (
            404,
            {"type": "urn:linplane:problem:no-path", "status": 404, "detail": "nothing is at this path"},
            "404 nothing is at this path; is --url the admin port (8081 by default)?",
        ),
        (500, b"<html>", "500 Internal Server Error"),
        (200, b"<html>", "did not answer with JSON: is it the admin port?"),
    ],
)
def test_refusal_prints_its_reason_and_exits_with_1(stub: Stub, status: int, body: object, shown: str) -> None:
    stub.gives(status, body)
    answer = run("switch", "v2", "--url", stub.url)
    assert answer.exit_code == 1
    assert answer.stderr.endswith(f"{shown}\n")
    assert len(answer.stderr.splitlines()) == 1


def test_answer_of_another_server_is_reported(stub: Stub) -> None:
    for body in ({}, [], {"routes": 7}):
        stub.gives(200, body)
        assert "is not a server's admin port" in run("status", "--url", stub.url).stderr
    assert run("status", "--url", "ftp://a").exit_code == 2
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        answer = run("switch", "v2", "--url", url)
    assert answer.stderr == f"linplane: {url}: Connection refused; is `linplane local` running, or a port-forward?\n"


def test_invalid_address_is_one_line(stub: Stub) -> None:
    for url in ("http://", "http://[", "http://a b", "http://127.0.0.1:99999"):
        answer = run("status", "--url", url)
        assert answer.exit_code in (1, 2)
        assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exception
