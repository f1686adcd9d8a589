"""Clients of other projects against a running server: every call works, in every form, and gives the same numbers."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cluster.clients
from integration.conftest import needed_programs
from integration.server.running import Running
from linplane_api.routing_folder import write_routing
from unit.server.builders import document, routing

FOLDER = Path(__file__).parent
ROWS = [(2.0 * number, 2.0 * number + 1) for number in range(200)]
EXPECTED = [1 + 2 * area + 10 * rooms for area, rooms in ROWS]  # of v1
OF_V2 = [1 + 3 * area + 20 * rooms for area, rooms in ROWS]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of the route `homes`, whose candidate v2 has no share, by HTTP and by gRPC."""
    folder = tmp_path_factory.mktemp("server")
    write_routing(folder / "config", routing(document(split=[("v2", 0)])))
    running = Running(folder, "--grpc-port", "0")
    yield running
    running.stop()


def run(environment: str, script: str, *arguments: str) -> Any:
    """The JSON that a script prints in one of the clients' environments."""
    python = needed_programs(lambda: cluster.clients.obtain(environment))[environment]
    command = [python, FOLDER / script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", ["http", "aio"])
def test_tritonclient_works(server: Running, kind: str) -> None:
    found = run("oip", "triton_calls.py", kind, str(server.port))
    predictions = found["predictions"]
    assert len(predictions) == 38
    assert predictions.pop("by version") == OF_V2
    assert [form for form, values in predictions.items() if values != EXPECTED] == []
    assert found.get("async", [EXPECTED] * 5) == [EXPECTED] * 5
    facts = found["facts"]
    assert [facts[name] for name in ("live", "ready", "model ready", "version ready", "other ready")] == [True] * 4 + [
        False
    ]
    assert facts["server"]["extensions"] == ["binary_tensor_data", "model_repository"]
    assert facts["model"] == facts["version"]
    assert facts["model"]["versions"] == ["v1", "v2"]
    assert [(one["name"], one["version"], one["state"]) for one in facts["index"]] == [
        ("homes", "v1", "READY"),
        ("homes", "v2", "READY"),
    ]
    statuses = {"model": "404", "version": "404", "shape": "400", "metadata": "404", "load": "404", "statistics": "404"}
    assert {name: status for name, (status, _) in found["errors"].items()} == statuses
    assert "for 2 features" in found["errors"]["shape"][1]


@pytest.mark.parametrize("kind", ["grpc", "aio"])
def test_tritonclient_works_by_grpc(server: Running, kind: str) -> None:
    found = run("oip", "triton_grpc_calls.py", kind, server.grpc_address)
    predictions = found["predictions"]
    assert len(predictions) == 10
    assert predictions.pop("by version") == OF_V2
    assert [form for form, values in predictions.items() if values != EXPECTED] == []
    facts = found["facts"]
    assert [facts[name] for name in ("live", "ready", "model ready", "version ready")] == [True] * 4
    assert facts["server"]["extensions"] == ["binary_tensor_data", "model_repository"]
    assert facts["model"]["versions"] == ["v1", "v2"]
    assert [(one["version"], one["state"]) for one in facts["index"]["models"]] == [("v1", "READY"), ("v2", "READY")]
    missing = "StatusCode.NOT_FOUND"
    assert {name: status for name, (status, _) in found["errors"].items()} == {
        "model": missing,
        "version": missing,
        "shape": "StatusCode.INVALID_ARGUMENT",
        "metadata": missing,
        "ready": missing,
        "load": "StatusCode.UNIMPLEMENTED",
    }
    assert "for 2 features" in found["errors"]["shape"][1]


def test_open_inference_client_works(server: Running) -> None:
    found = run("oip", "open_inference_calls.py", str(server.port))
    assert list(found) == ["OpenInferenceClient", "AsyncOpenInferenceClient"]
    for answers in found.values():
        calls, errors = answers["calls"], answers["errors"]
        assert [calls[name] for name in ("live", "ready", "model ready", "version ready")] == [None] * 4
        assert calls["server"]["name"] == "linplane"
        assert calls["model"]["inputs"][0]["shape"] == [-1, 2]
        assert calls["version"]["versions"] == ["v1", "v2"]
        assert calls["matrix"]["id"] == "abc"
        outputs = {name: calls[name]["outputs"][0]["data"] for name in ("matrix", "columns", "by version")}
        assert outputs == {"matrix": [35.0, 1.0], "columns": [35.0, 1.0], "by version": [67.0, 1.0]}
        assert {name: status for name, (status, _) in errors.items()} == {"model": 404, "version": 404, "shape": 400}
        assert all(list(body) == ["error"] for _, body in errors.values())


@pytest.mark.thorough
@pytest.mark.timeout(600)
def test_kserve_client_works(server: Running) -> None:
    found = run("kserve", "kserve_calls.py", str(server.port))
    assert len(found["predictions"]) == 5
    assert [form for form, values in found["predictions"].items() if values != EXPECTED] == []
    facts = found["facts"]
    assert [facts[name] for name in ("live", "ready", "model ready", "other ready")] == [True, True, True, False]
    assert "no model of this name" in facts["error"]
    assert found["v1"] == {"answer": {"predictions": EXPECTED}, "ready": True}


@pytest.mark.thorough
@pytest.mark.timeout(600)
def test_mlserver_codecs_work(server: Running) -> None:
    found = run("mlserver", "mlserver_calls.py", str(server.port))
    assert [found[name]["values"] for name in ("array", "request", "frame")] == [[35.0, 1.0]] * 3
    assert found["array"]["id"] == "n1"
    assert found["model"]["versions"] == ["v1", "v2"]
    assert found["server"]["name"] == "linplane"
