"""Runs `linplane local` for tests: starts, watches, calls and kills it."""

import http.client
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from linplane_api.artifact import parse_artifact, predict
from support import eventually

_STARTED = re.compile(r"serving +\S+ at http://127\.0\.0\.1:(\d+), admin and metrics at http://127\.0\.0\.1:(\d+)")


def free_port() -> int:
    """A free port."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def weights(model: str, version: str, coefficients: Mapping[str, float], intercept: float) -> str:
    """A version written by hand, with the ConfigMap that it comes from."""
    body = json.dumps({"coefficients": dict(coefficients), "intercept": intercept})
    return f"""\
apiVersion: v1
kind: ConfigMap
metadata: {{name: {model}-{version}}}
data: {{model.json: '{body}'}}
---
apiVersion: linplane.dev/v1alpha1
kind: LinearModel
metadata: {{name: {model}-{version}}}
spec:
  model: {model}
  version: {version}
  weights: {{configMapKeyRef: {{name: {model}-{version}, key: model.json}}}}
"""


def synthetic(model: str, version: str, samples: int = 50, features: int = 2, **job: int) -> str:
    """A version that trains on made-up rows."""
    return f"""\
apiVersion: linplane.dev/v1alpha1
kind: LinearModel
metadata: {{name: {model}-{version}}}
spec:
  model: {model}
  version: {version}
  training:
    data: {{synthetic: {{samples: {samples}, featureCount: {features}, noise: "0.2"}}}}
    job: {json.dumps(job)}
"""


def route(model: str, version: str, **more: object) -> str:
    """A route of a model's own name."""
    extra = "".join(f"  {key}: {json.dumps(value)}\n" for key, value in more.items())
    return f"""\
apiVersion: linplane.dev/v1alpha1
kind: ModelRoute
metadata: {{name: {model}}}
spec:
  model: {model}
  version: {version}
{extra}"""


class Local:
    """One `linplane local`; `start` may be called again after it ended."""

    def __init__(self, folder: Path, state: Path, *options: str) -> None:
        """Nothing is started yet. The ports stay the same over restarts."""
        self.folder = folder
        self.state = state
        self.port, self.admin_port = free_port(), free_port()
        self.options = options
        self.lines: list[str] = []
        self.process: subprocess.Popen[str] | None = None

    def save(self, name: str, text: str) -> None:
        """Saves a manifest."""
        (self.folder / name).write_text(text, encoding="utf-8")

    def launch(self) -> subprocess.Popen[str]:
        """Starts the process, and waits for nothing."""
        ports = ("--port", str(self.port), "--admin-port", str(self.admin_port))
        command = [sys.executable, "-P", "-m", "linplane_cli", "local", str(self.folder), "--state", str(self.state)]
        self.lines = []
        self.process = subprocess.Popen(
            [*command, *ports, *self.options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self._reader.start()
        return self.process

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        with process.stdout as output:
            for line in output:
                self.lines.append(line.rstrip("\n"))

    def start(self) -> None:
        """Starts the process and waits until it listens."""
        process = self.launch()

        def listening() -> bool:
            assert process.poll() is None, self.text
            return _STARTED.search(self.text) is not None

        eventually(listening, 20)

    @property
    def text(self) -> str:
        """All that it printed since it was started."""
        return "\n".join(list(self.lines))

    def printed(self, word: str) -> list[str]:
        """The lines printed under one word."""
        return [line[20:] for line in list(self.lines) if line[10:].startswith(f"{word} ")]

    @property
    def pid(self) -> int:
        """The loop's process id."""
        assert self.process is not None
        return self.process.pid

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout: float = 10) -> int:
        """Ends it in order; the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout)

    def kill(self) -> None:
        """kill -9 of the loop alone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def end(self) -> None:
        """For the end of a test: whatever is left is killed."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        for pid in self.children():
            os.kill(pid, signal.SIGKILL)
        if self.process is not None:
            self._reader.join(10)

    def children(self, module: str = "") -> list[int]:
        """The processes that were started for this state folder (with this module), by their command line."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            mine = "local" not in words and any(str(self.state) in word for word in words)
            if mine and (not module or module in words) and _is_alive(path.parent):
                found.append(int(path.parent.name))
        return found

    # ---- what it answers ----

    def request(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None, admin: bool = False
    ) -> tuple[int, dict[str, Any]]:
        """One request on a connection of its own; status and JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port if admin else self.port, timeout=10)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"{}")
        finally:
            connection.close()

    def admin(self, call: str, **headers: str) -> tuple[int, dict[str, Any]]:
        """An admin call such as `freeze?version=v1`."""
        return self.request("POST", f"/{call}", headers=headers, admin=True)

    def predict(self, model: str, features: object, key: str = "") -> dict[str, Any]:
        """An answer, which must be one. Raises AssertionError."""
        body = {"features": features, **({"key": key} if key else {})}
        status, answer = self.request("POST", f"/routes/{model}/predict", body)
        assert status == 200, answer
        return answer

    def answers_with(self, model: str, version: str, timeout: float = 20) -> dict[str, Any]:
        """Waits until a route's answer names a version; the answer to `row`."""

        def answer() -> dict[str, Any]:
            found = self.predict(model, self.row(model, version))
            assert found["version"] == version, found
            return found

        return eventually(answer, timeout)

    def row(self, model: str, version: str) -> dict[str, float]:
        """A row for a version, by name: one and a half, two and a half, and so on."""
        artifact = parse_artifact(self.artifact(model, version)).artifact
        return {name: 1.5 + index for index, name in enumerate(artifact.features)}

    def expected(self, model: str, version: str) -> float:
        """The prediction for that row, computed from the sealed artifact."""
        artifact = parse_artifact(self.artifact(model, version)).artifact
        row = [1.5 + index for index in range(len(artifact.features))]
        return predict(artifact.coefficients, artifact.intercept, row)

    # ---- what it keeps ----

    def object(self, plural: str, name: str) -> dict[str, Any]:
        """An object of the state folder. Raises OSError if it does not exist."""
        body: dict[str, Any] = json.loads((self.state / "objects" / plural / f"{name}.json").read_text())
        return body

    def condition(self, plural: str, name: str, kind: str) -> dict[str, Any]:
        """One condition of an object, empty if there is none."""
        conditions = self.object(plural, name).get("status", {}).get("conditions", [])
        return next((c for c in conditions if c["type"] == kind), {})

    def is_ready(self, plural: str, name: str) -> bool:
        """Whether the object is Ready as it stands."""
        body = self.object(plural, name)
        ready = self.condition(plural, name, "Ready")
        return ready.get("status") == "True" and ready["observedGeneration"] == body["metadata"]["generation"]

    def artifact(self, model: str, version: str) -> str:
        """The text of a version's sealed artifact."""
        status = self.object("linearmodels", f"{model}-{version}").get("status", {})
        assert "artifact" in status, status
        text: str = self.object("configmaps", status["artifact"])["data"]["model.json"]
        return text

    def trained(self) -> list[tuple[str, str, str]]:
        """metadata.jsonl as model, version and digest."""
        path = self.state / "metadata.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(line["model"], line["version"], line["digest"]) for line in map(json.loads, lines)]

    def problems(self) -> list[dict[str, Any]]:
        """The problems of the manifests, as the app wrote them."""
        found: list[dict[str, Any]] = json.loads((self.state / "problems.json").read_text())
        return found

    def temporaries(self) -> list[Path]:
        """Files and folders that a crash in the middle of a write leaves."""
        left = [path for root in (self.state, self.folder) for path in root.rglob(".*.????????")]
        states = [path for path in self.state.rglob("..state-*") if path.name != self._current(path.parent)]
        return [path for path in left if re.fullmatch(r"\..+\.[a-z0-9_]{8}", path.name)] + states

    @staticmethod
    def _current(folder: Path) -> str:
        return str((folder / "..data").readlink()) if (folder / "..data").is_symlink() else ""

    def limit_files(self, size: int) -> None:
        """Makes every write beyond a size fail for the loop, as a full disk does; -1 takes it back."""
        limit = resource.RLIM_INFINITY if size < 0 else size
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


def _is_alive(process: Path) -> bool:
    try:
        return ") Z " not in (process / "stat").read_text()
    except OSError:
        return False
