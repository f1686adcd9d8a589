"""An installation without extras: each command names the extra to install in one line."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from linplane_cli.main import main
from unit.cli.test_main import COMMANDS

OF_EXTRAS = (
    *("yaml", "jsonschema", "cel", "fastapi", "uvicorn", "uvloop", "httptools", "prometheus_client"),
    *("flint", "numpy", "pyarrow", "threadpoolctl", "kopf", "kubernetes", "aiohttp", "httpx"),
)
ARGUMENTS = {
    "local": ["."],
    "operator": [],
    "train": ["--version", "v1", "--samples", "9"],
    "validate": ["a.yaml"],
    "assign": ["-f", "a.yaml", "--route", "rent", "--key", "a"],
    "predict": ["rent", "area=70"],
    "get": [],
    "describe": ["version", "rent-v1"],
    "status": ["--url", "http://127.0.0.1:9"],
    **{name: ["v1", "--url", "http://127.0.0.1:9"] for name in ("switch", "freeze", "unfreeze")},
}


BLOCKED = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocker())
from linplane_cli.main import main
main({arguments})
"""


def run(folder: Path, command: str, blocked: Sequence[str], *options: str) -> tuple[int, str]:
    """Runs a command in a separate process, as if the modules `blocked` were not installed."""
    (folder / "a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    route = folder / ".linplane/objects/modelroutes/rent.json"
    route.parent.mkdir(parents=True)
    route.write_text('{"metadata": {"name": "rent"}}')
    code = BLOCKED.format(names=set(blocked), arguments=[command, *ARGUMENTS[command], *options])
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=30, check=False
    )
    assert "Traceback" not in answer.stderr, answer.stderr
    return answer.returncode, answer.stderr.splitlines()[-1]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_of_a_plain_installation(tmp_path: Path, command: str) -> None:
    code, line = run(tmp_path, command, OF_EXTRAS)
    if command in ("status", "switch", "freeze", "unfreeze"):
        assert "Connection refused" in line
        return
    extra = {"operator": "operator", "predict": "client"}.get(command, "local")
    assert line.startswith(f"linplane: linplane {command} needs ")
    assert line.endswith(f'which is not installed: install "linplane[{extra}]"')
    assert code == 2


@pytest.mark.parametrize("missing", ["fastapi", "uvicorn", "numpy", "pyarrow", "threadpoolctl", "jsonschema", "yaml"])
def test_local_mode_without_one_library(tmp_path: Path, missing: str) -> None:
    _, line = run(tmp_path, "local", [missing])
    assert f'needs {missing}, which is not installed: install "linplane[local]"' in line


@pytest.mark.parametrize("missing", ["grpc", "grpc_health"])
def test_local_mode_without_the_libraries_of_grpc(tmp_path: Path, missing: str) -> None:
    _, line = run(tmp_path, "local", [missing], "--grpc-port", "0")
    assert f'needs {missing}, which is not installed: install "linplane[grpc]"' in line


@pytest.mark.parametrize("command", ["local", "train", "get"])
def test_windows_has_no_fcntl(tmp_path: Path, command: str) -> None:
    code, line = run(tmp_path, command, ["fcntl"])
    assert line == f"linplane: linplane {command} runs on Linux and macOS; on {sys.platform} use WSL or a container"
    assert code == 2


def test_missing_module_of_ours_is_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "linplane_operator.local.app", None)
    answer = CliRunner().invoke(main, ["local", "."])
    assert isinstance(answer.exception, ModuleNotFoundError)
