"""Admin calls of local mode, with a small substitute of its loop."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.server.running import Running, send_request
from linplane_api.files import write_atomically
from linplane_api.manifests.manifest import read_documents
from linplane_api.routing_folder import write_routing
from support import eventually
from unit.server.builders import document, routing

MANIFEST = """\
# homes, as they are sold
apiVersion: linplane.dev/v1alpha1
kind: ModelRoute
metadata: {name: homes}
spec:
  model: homes
  version: v1      # the current one
---
apiVersion: linplane.dev/v1alpha1
kind: LinearModel
metadata: {name: homes-v1}
spec: {model: homes, version: v1}
---
apiVersion: linplane.dev/v1alpha1
kind: LinearModel
metadata: {name: homes-v2}
spec: {model: homes, version: v2}
---
apiVersion: linplane.dev/v1alpha1
kind: LinearModel
metadata: {name: homes-v3}
spec: {model: homes, version: v3}
"""


class Loop:
    """A small local loop: applies the manifest, writes objects and routing documents. v3 never becomes Ready."""

    def __init__(self, folder: Path, config: Path) -> None:
        self.state, self.config, self.manifest = folder / "state", config, folder / "homes.yaml"
        self.manifest.write_text(MANIFEST)
        self.converges = True
        self.refuses: str | None = None
        self.generations: dict[str, tuple[int, Any]] = {}
        self.sequence = 0
        self.ended = threading.Event()
        self.lock = threading.Lock()
        self.step()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        while not self.ended.wait(0.01):
            with self.lock:
                self.step()

    def step(self) -> None:
        documents = {d.body["metadata"]["name"]: d.body for d in read_documents(self.manifest.read_text())}
        if self.refuses and documents["homes"]["spec"]["version"] == "v2":
            problem = {"file": str(self.manifest), "line": 7, "field": "spec.version", "message": self.refuses}
            self._write(self.state / "problems.json", [problem])
            return
        if {name: body["spec"] for name, body in documents.items()} == {n: s for n, (_, s) in self.generations.items()}:
            return
        for name, body in documents.items():
            generation, spec = self.generations.get(name, (0, None))
            if spec != body["spec"]:
                self.generations[name] = (generation + 1, body["spec"])
                self._object(name, body, generation + 1)
        self.sequence += 1
        write_routing(
            self.config, routing(document(current=documents["homes"]["spec"]["version"]), sequence=self.sequence)
        )

    def _object(self, name: str, body: dict[str, Any], generation: int) -> None:
        frozen = body["spec"].get("frozen") is True
        held = {"Ready": name != "homes-v3", "Withdrawn": frozen, "Converged": self.converges, "Accepted": True}
        conditions = [
            {"type": kind, "status": str(value), "reason": kind, "message": "", "observedGeneration": generation}
            for kind, value in held.items()
        ]
        metadata = {
            "name": name,
            "generation": generation,
            "annotations": {"linplane.dev/manifest": str(self.manifest)},
        }
        folder = "modelroutes" if body["kind"] == "ModelRoute" else "linearmodels"
        status = {"observedGeneration": generation, "conditions": conditions}
        self._write(self.state / "objects" / folder / f"{name}.json", {**body, "metadata": metadata, "status": status})

    def _write(self, path: Path, value: object) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(value).encode())

    def reset(self) -> None:
        """Waits until the first manifest is in effect."""
        self.converges, self.refuses = True, None
        (self.state / "problems.json").unlink(missing_ok=True)
        write_atomically(self.manifest, MANIFEST.encode())
        wanted = {d.body["metadata"]["name"]: d.body["spec"] for d in read_documents(MANIFEST)}
        with self.lock:
            self.generations["homes"] = (self.generations["homes"][0], None)  # its conditions may be others now
        eventually(lambda: wanted == {name: spec for name, (_, spec) in self.generations.items()})

    def end(self) -> None:
        self.ended.set()
        self.thread.join()


@pytest.fixture(scope="module")
def running_loop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    folder = tmp_path_factory.mktemp("admin")
    result = Loop(folder, folder / "config")
    yield result
    result.end()


@pytest.fixture(scope="module")
def running(running_loop: Loop) -> Iterator[Running]:
    server = Running(running_loop.manifest.parent, "--state", str(running_loop.state), "--single-route")
    yield server
    server.stop()


@pytest.fixture
def loop(running_loop: Loop) -> Loop:
    """The loop, with the first manifest restored."""
    running_loop.reset()
    return running_loop


@pytest.fixture
def local(running: Running, loop: Loop) -> Running:
    eventually(lambda: running.version() == "v1")
    return running


def call(server: Running, what: str, **headers: str) -> tuple[int, dict[str, Any]]:
    status, _, body = server.admin_call("POST", f"/{what}", **headers)
    return status, json.loads(body)


def test_switch_changes_one_field_of_the_manifest_and_is_in_effect_when_it_returns(local: Running, loop: Loop) -> None:
    assert call(local, "switch_model?version=v2") == (
        200,
        {"route": "homes", "from": "v1", "to": "v2", "converged": True},
    )
    assert loop.manifest.read_text() == MANIFEST.replace("version: v1      #", "version: v2      #")
    eventually(lambda: local.version() == "v2")
    audit = [line for line in local.logged() if line["logger"] == "linplane_server.audit"][-1]
    expected = {"action": "switch_model", "route": "homes", "version": "v2", "from": "v1", "to": "v2", "status": 200}
    assert audit.items() >= expected.items()


def test_freeze_and_unfreeze(local: Running, loop: Loop) -> None:
    status, body = call(local, "freeze?version=v1&route=homes")
    assert (status, body["frozen"], body["withdrawn"]) == (200, True, True)
    assert "503" in body["warnings"][0]
    assert "frozen: true" in loop.manifest.read_text()
    assert call(local, "switch_model?version=v1")[1]["reason"] == "VersionFrozen"
    assert call(local, "freeze?version=v2")[0] == 200
    assert call(local, "switch_model?version=v2")[0] == 409
    assert call(local, "unfreeze?version=v2")[0] == 200
    assert call(local, "switch_model?version=v2")[0] == 200


def test_call_that_is_refused_has_a_reason_and_changes_nothing(local: Running, loop: Loop) -> None:
    assert call(local, "switch_model?version=v9")[0] == 404
    assert call(local, "switch_model?version=v2&route=absent")[0] == 404
    status, body = call(local, "switch_model?version=v3")
    assert (status, body["reason"]) == (409, "VersionNotReady")
    for query in (
        "", "?version=", "?version=V2", "?version=v2&version=v2", "?version=v2&force=1", "?version=v2&route=..%2Fx",
        "?version=..%2F..%2Fetc", "?version=v2%0a", "?version=v2&route=a%00", "?" + "a=b&" * 1500,
    ):  # fmt: skip
        assert call(local, f"switch_model{query}")[0] == 422, query
    assert loop.manifest.read_text() == MANIFEST


def test_switch_without_its_effect_is_202(local: Running, loop: Loop) -> None:
    loop.converges = False
    status, body = call(local, "switch_model?version=v2")
    assert (status, body["converged"]) == (202, False)


def test_change_that_is_refused_is_422_with_the_message(local: Running, loop: Loop) -> None:
    loop.refuses = "spec.version: is not allowed on Sundays"
    status, body = call(local, "switch_model?version=v2")
    assert (status, body["detail"]) == (422, loop.refuses)


def test_manifest_that_is_missing_is_reported(local: Running, loop: Loop) -> None:
    with loop.lock:
        loop.manifest.unlink()
        status, body = call(local, "switch_model?version=v2")
        loop.manifest.write_text(MANIFEST)
    assert (status, body["detail"]) == (409, "homes.yaml cannot be changed: No such file or directory")


def test_web_page_cannot_make_an_admin_call(local: Running, loop: Loop) -> None:
    for headers in ({"Origin": "http://localhost"}, {"Host": "evil.example"}, {"Origin": "null"}):
        for what in ("switch_model?version=v2", "freeze?version=v2", "unfreeze?version=v2", "freeze?version=nonsense!"):
            assert call(local, what, **headers)[0] == 403
    assert loop.manifest.read_text() == MANIFEST


def test_token_is_required_and_never_logged(tmp_path: Path, loop: Loop) -> None:
    (tmp_path / "token").write_text("canary-Tm9zZWN1cmU\n")
    (tmp_path / "config").symlink_to(loop.config)
    server = Running(tmp_path, "--state", str(loop.state), "--admin-token-file", str(tmp_path / "token"))
    try:
        assert call(server, "switch_model?version=v2")[0] == 401
        assert call(server, "switch_model?version=v2", Authorization="Bearer wrong-canary")[0] == 401
        assert call(server, "switch_model?version=v2", Authorization="Bearer canary-Tm9zZWN1cmU", Host="x")[0] == 200
        burst = [call(server, "freeze?version=v2", Authorization="Bearer wrong-canary")[0] for _ in range(30)]
        assert set(burst) == {401, 429}
        assert call(server, "unfreeze?version=v2", Authorization="Bearer canary-Tm9zZWN1cmU")[0] == 200
        assert "canary" not in server.log.read_text()
    finally:
        server.stop()


def test_admin_pages_other_than_calls_need_no_token(local: Running) -> None:
    for path in ("/livez", "/readyz", "/healthz", "/metrics", "/status"):
        assert send_request(local.admin_port, "GET", path, None, {"Host": "pod-7"})[0] == 200
