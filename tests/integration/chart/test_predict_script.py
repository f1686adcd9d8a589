"""The program of `helm test`, with the objects that it creates, against a real server."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from chart.render import CHART, is_hook, render
from integration.local.running import Local


@contextmanager
def served(tmp_path: Path, coefficient: str = "2.5") -> Iterator[Local]:
    """The chart's test objects without the ModelServer and its name, as local mode has one server."""
    folder = tmp_path / "manifests"
    folder.mkdir()
    for body in render():
        if is_hook(body) and body["kind"] in ("ConfigMap", "LinearModel", "ModelRoute"):
            body["metadata"] = {"name": body["metadata"]["name"]}
            body.get("spec", {}).pop("serverName", None)
            text = yaml.safe_dump(body).replace("2.5", coefficient)
            (folder / f"{body['kind']}.yaml").write_text(text, encoding="utf-8")
    one = Local(folder, tmp_path / "state")
    try:
        one.start()
        yield one
    finally:
        one.end()


def run_against(local: Local) -> "subprocess.CompletedProcess[str]":
    """Runs the script as the pod does."""
    script = (CHART / "files/predict.py").read_text(encoding="utf-8")
    argv = [sys.executable, "-c", script, f"http://127.0.0.1:{local.port}/predict"]
    return subprocess.run(argv, capture_output=True, text=True, timeout=200, check=False)


def test_predict_script_waits_for_the_right_answer(tmp_path: Path) -> None:
    with served(tmp_path) as local:
        done = run_against(local)
    assert done.returncode == 0, done.stderr
    assert '"prediction": 11' in done.stdout


def test_predict_script_fails_on_a_wrong_answer(tmp_path: Path) -> None:
    with served(tmp_path, "3.5") as local:
        done = run_against(local)
    assert done.returncode == 1
    assert "this is not the prediction of the weights" in done.stderr
