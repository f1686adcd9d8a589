"""The result in a ConfigMap: patches only, retried if transient, and never over a sealed result."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from linplane_api.api_access import ApiAccess
from linplane_api.artifact import Artifact, parse_artifact, with_checks
from linplane_api.names import MAX_CONFIGMAP_BYTES
from linplane_api.task import (
    EXIT_BAD_DATA,
    EXIT_UNREACHABLE,
    EXIT_UNREPORTED,
    Failure,
    FileData,
    SyntheticData,
    Task,
    parse_failure,
)
from linplane_trainer.__main__ import run
from linplane_trainer.configmap_result import MAX_FILE, RETRIES, ConfigMapResult
from linplane_trainer.errors import ResultLostError, TooLargeError
from support import eventually

PATH = "/api/v1/namespaces/homes/configmaps/linplane-x"
ARTIFACT = with_checks(Artifact(("area",), (2.0,), 1.0))
FILE = ARTIFACT.to_file("2026-01-01T00:00:00Z")
LATER = ARTIFACT.to_file("2026-01-02T00:00:00Z")
OTHER = with_checks(Artifact(("area",), (3.0,), 1.0)).to_file("2026-01-01T00:00:00Z")
FAILURE = Failure("BadData", "line 3")


class Api:
    """One ConfigMap behind HTTP that may be patched and no more. `answers` (statuses; 0 hangs up) come first."""

    def __init__(self) -> None:
        self.data: dict[str, str] = {}
        self.immutable = False
        self.absent = False
        self.answers: list[int] = []
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.server = HTTPServer(("127.0.0.1", 0), self._handler())
        Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def patch(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        data = {key: value for key, value in {**self.data, **body.get("data", {})}.items() if value is not None}
        if self.absent:
            return 404, {"reason": "NotFound", "message": "not found"}
        if self.immutable and data != self.data:
            return 422, {"reason": "Invalid", "message": "data: Forbidden: field is immutable"}
        if sum(map(len, data.values())) > MAX_CONFIGMAP_BYTES:
            return 422, {"reason": "Invalid", "message": "too long"}
        self.data = data
        return 200, {"data": data, **({"immutable": True} if self.immutable else {})}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_PATCH(self) -> None:
                api.asked.append((self.command, self.path.partition("?")[0], dict(self.headers.items())))
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                planned = api.answers.pop(0) if api.answers else 200
                if planned == 0:
                    return
                status, answer = api.patch(body) if planned == 200 else (planned, {"message": "because"})
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            def log_message(self, *args: object) -> None:
                pass

        return Handler


@pytest.fixture
def api() -> Iterator[Api]:
    result = Api()
    yield result
    result.server.shutdown()
    result.server.server_close()


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def writer(api: Api, slept: list[float], tmp_path: Path) -> ConfigMapResult:
    (tmp_path / "token").write_text("t0ken\n")
    access = ApiAccess("127.0.0.1", api.server.server_port, "homes", tls=False, token_file=tmp_path / "token")
    return ConfigMapResult(access, "linplane-x", slept.append)


def test_artifact_is_patched_in_over_an_earlier_failure(api: Api, writer: ConfigMapResult) -> None:
    api.data = {"error.json": "{}"}
    writer.write_artifact(FILE)
    assert api.data == {"model.json": FILE.decode()}
    ((method, path, headers),) = api.asked
    assert (method, path) == ("PATCH", PATH)
    assert headers["Content-Type"] == "application/merge-patch+json"
    assert headers["Authorization"] == "Bearer t0ken"


def test_failure_is_patched_in_over_an_earlier_artifact(api: Api, writer: ConfigMapResult) -> None:
    api.data = {"model.json": FILE.decode()}
    writer.write_failure(FAILURE)
    assert set(api.data) == {"error.json"}
    assert parse_failure(api.data["error.json"]) == FAILURE


@pytest.mark.parametrize("status", [0, 401, 403, 409, 429, 500, 503])
def test_transient_errors_are_retried(api: Api, writer: ConfigMapResult, slept: list[float], status: int) -> None:
    api.answers = [status, status]
    writer.write_artifact(FILE)
    assert api.data == {"model.json": FILE.decode()}
    assert [a <= b <= 1.5 * a for a, b in zip((0.5, 1.0), slept, strict=True)] == [True, True]


@pytest.mark.parametrize("status", [302, 400, 404, 413])
def test_permanent_errors_are_not_retried(api: Api, writer: ConfigMapResult, slept: list[float], status: int) -> None:
    api.answers = [status]
    with pytest.raises(ResultLostError, match="cannot be written: because"):
        writer.write_artifact(FILE)
    assert (slept, api.data) == ([], {})


def test_retries_are_bounded_for_both_writes_together(api: Api, writer: ConfigMapResult, slept: list[float]) -> None:
    api.answers = [503] * 100
    with pytest.raises(ResultLostError):
        writer.write_artifact(FILE)
    assert len(slept) == RETRIES
    with pytest.raises(ResultLostError):
        writer.write_failure(FAILURE)
    assert (len(slept), len(api.asked)) == (RETRIES, RETRIES + 2)


def test_artifact_sealed_already_and_equal_is_success(api: Api, writer: ConfigMapResult) -> None:
    """Its date may be another: that is outside of what is sealed by its digest."""
    api.data, api.immutable = {"model.json": FILE.decode()}, True
    writer.write_artifact(FILE)
    writer.write_artifact(LATER)
    assert api.data == {"model.json": FILE.decode()}


def test_artifact_sealed_already_and_different_is_an_error(api: Api, writer: ConfigMapResult) -> None:
    api.immutable = True
    for sealed in (OTHER.decode(), "{"):
        api.data = {"model.json": sealed}
        with pytest.raises(ResultLostError, match="sealed already"):
            writer.write_artifact(FILE)
        with pytest.raises(ResultLostError, match="sealed already"):
            writer.write_failure(FAILURE)
        assert api.data == {"model.json": sealed}


def test_artifact_that_is_too_large_is_not_even_sent(api: Api, writer: ConfigMapResult) -> None:
    with pytest.raises(TooLargeError, match="too large for a ConfigMap"):
        writer.write_artifact(b" " * (MAX_FILE + 1))
    assert not api.asked
    api.data = {"error.json": "{}"}
    names = tuple(f"{number:0200}" for number in range(4000))
    large = with_checks(Artifact(names, (0.1,) * 4000, 0.0)).to_file("2026-01-01T00:00:00Z")
    assert len(large) > MAX_FILE / 2
    writer.write_artifact(large)
    assert set(api.data) == {"model.json"}


NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)
GOOD = Task("m", "v1", SyntheticData(50, 2, 0.1))
BAD = Task("m", "v1", FileData("absent.csv"), target="y")


def job(task: Task, writer: ConfigMapResult, tmp_path: Path) -> tuple[int, str]:
    said = io.StringIO()
    return run(task.to_text(), tmp_path, writer, lambda: NOON, said), said.getvalue()


def test_job_writes_artifact_or_failure(api: Api, writer: ConfigMapResult, tmp_path: Path) -> None:
    code, said = job(GOOD, writer, tmp_path)
    file = parse_artifact(api.data["model.json"])
    assert (code, said) == (0, f"trained {file.digest}\n")
    code, _ = job(BAD, writer, tmp_path)
    assert code == EXIT_BAD_DATA
    assert set(api.data) == {"error.json"}


def test_result_too_large_is_reported_and_not_retried(
    api: Api, writer: ConfigMapResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("linplane_trainer.configmap_result.MAX_FILE", 100)
    code, _ = job(GOOD, writer, tmp_path)
    failure = parse_failure(api.data["error.json"])
    assert (code, failure.reason) == (EXIT_BAD_DATA, "TrainingFailed")
    assert "too large for a ConfigMap" in failure.message


def test_job_ends_with_a_sealed_result_or_without_the_api_server(
    api: Api, writer: ConfigMapResult, tmp_path: Path
) -> None:
    api.data, api.immutable = {"model.json": OTHER.decode()}, True
    code, said = job(GOOD, writer, tmp_path)
    assert (code, api.data) == (EXIT_UNREPORTED, {"model.json": OTHER.decode()})
    assert said.splitlines()[0] == "training failed: the result is sealed already, and holds another artifact"
    assert said.splitlines()[1].startswith("the result is sealed already: ")
    api.immutable, api.absent = False, True
    code, said = job(GOOD, writer, tmp_path)
    assert (code, "Traceback" in said) == (EXIT_UNREPORTED, False)


def test_api_server_that_cannot_be_reached_has_an_exit_code_of_its_own(
    api: Api, writer: ConfigMapResult, tmp_path: Path
) -> None:
    """The operator then points at NetworkPolicies; the log's last line is the cause."""
    api.server.shutdown()
    api.server.server_close()
    code, said = job(BAD, writer, tmp_path)
    assert (code, said.splitlines()[-1]) == (EXIT_UNREACHABLE, "the API server cannot be reached: Connection refused")


def test_command_writes_to_a_configmap(api: Api, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t0ken")
    command = [sys.executable, "-m", "linplane_trainer", "--task", GOOD.to_text(), "--data-dir", str(tmp_path)]
    where = ["--namespace", "homes", "--api-url", api.url, "--api-token-file", str(tmp_path / "token")]
    done = subprocess.run([*command, "--result", "configmap:linplane-x", *where], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert eventually(lambda: parse_artifact(api.data["model.json"]).digest.encode() in done.stderr)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KUBERNETES_")}
    for wrong in (["configmap:linplane-x"], ["configmap:", *where]):
        done = subprocess.run([*command, "--result", *wrong], capture_output=True, check=False, env=environment)
        assert done.returncode == 2
        assert b"error: " in done.stderr
