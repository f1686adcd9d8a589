"""Alerts, their cases, the scaling query and the exposition, checked by promtool."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from prometheus_client import generate_latest

from cluster.binaries import find_binaries
from integration.conftest import needed_programs
from unit.chart.test_alerts import CASES, RULES, registries, rules

SCALED_OBJECT = Path(__file__).parents[3] / "integrations/keda/scaledobject.yaml"
Promtool = Callable[..., str]


@pytest.fixture
def promtool(tmp_path: Path) -> Promtool:
    """Runs promtool in the test's folder and returns its output. Raises if it fails."""
    program = needed_programs(lambda: find_binaries(("promtool",), obtain=False))["promtool"]

    def run(*arguments: str, stdin: str = "") -> str:
        argv = [program, *arguments]
        done = subprocess.run(argv, cwd=tmp_path, input=stdin, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_rendered_rules_are_accepted(promtool: Promtool, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules()}]}))
    assert f"{len(rules())} rules found" in promtool("check", "rules", "rules.yaml")


def test_alerts_fire_in_their_cases_and_in_no_other(promtool: Promtool, tmp_path: Path) -> None:
    shutil.copy(RULES, tmp_path / "rules.yaml")
    shutil.copy(CASES, tmp_path / "cases.yaml")
    assert "SUCCESS" in promtool("test", "rules", "cases.yaml")


@pytest.mark.parametrize("number", [0, 1], ids=["server", "operator"])
def test_exposition_has_help_and_names_that_prometheus_advises(promtool: Promtool, number: int) -> None:
    text = generate_latest(registries()[number]).decode()
    assert promtool("check", "metrics", stdin=text) == ""


def test_query_of_the_scaled_object_is_accepted(promtool: Promtool, tmp_path: Path) -> None:
    (trigger,) = yaml.safe_load(SCALED_OBJECT.read_text("utf-8"))["spec"]["triggers"]
    rule = {"record": "replicas", "expr": trigger["metadata"]["query"]}
    (tmp_path / "rules.yaml").write_text(json.dumps({"groups": [{"name": "keda", "rules": [rule]}]}))
    assert "1 rules found" in promtool("check", "rules", "rules.yaml")
