"""Alerts, their cases, the scaling query and the exposition, checked by promtool."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from prometheus_client import generate_latest

from chart.render import CHART
from cluster.binaries import find_binaries
from integration.conftest import needed_programs
from unit.chart.test_alerts import CASES, RULES, expressions, registries, rules

SCALED_OBJECT = Path(__file__).parents[3] / "integrations/keda/scaledobject.yaml"
REQUESTS = "linplane_predict_requests_total"
OVER_PROTOCOLS = {"sum by (namespace, route, version) (": 20, "sum by (namespace, route) (": 0.1, "sum(": 20}
"""The start of each expression about requests, and its only value if two protocols have 10 requests a second each."""
VARIABLES = {"$namespace": "default", "$route": "rent", "$__rate_interval": "5m"}  # Grafana's
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


def scaling_query() -> str:
    (trigger,) = yaml.safe_load(SCALED_OBJECT.read_text("utf-8"))["spec"]["triggers"]
    return str(trigger["metadata"]["query"])


def test_query_of_the_scaled_object_is_accepted(promtool: Promtool, tmp_path: Path) -> None:
    rule = {"record": "replicas", "expr": scaling_query()}
    (tmp_path / "rules.yaml").write_text(json.dumps({"groups": [{"name": "keda", "rules": [rule]}]}))
    assert "1 rules found" in promtool("check", "rules", "rules.yaml")


def about_requests() -> list[str]:
    """Every expression of the chart and of integrations/ that counts requests, without Grafana's variables."""
    found = [text for text in (*expressions(), scaling_query()) if REQUESTS in text]
    return [re.sub(r"\$\w+", lambda name: VARIABLES[name[0]], text) for text in found]


def test_expressions_about_requests_are_all_in_the_table() -> None:
    """Every text of the chart and of integrations/ that names the metric is one of them."""
    texts = [path.read_text("utf-8") for top in (CHART, SCALED_OBJECT.parents[1]) for path in top.rglob("*.*")]
    assert sum(text.count(REQUESTS) for text in texts) == len(about_requests()) == len(OVER_PROTOCOLS)


def test_expressions_about_requests_sum_over_protocols(promtool: Promtool, tmp_path: Path) -> None:
    """Requests by two protocols are one sample of each expression, whose value is that of both."""
    labels = 'namespace="default", service="linplane-default-admin", route="rent", version="v1"'
    names = [f'{REQUESTS}{{{labels}, protocol="{name}"}}' for name in ("predict", "v2")]
    series = [{"series": name, "values": "0+150x120"} for name in names]
    errors = f'linplane_predict_errors_total{{{labels}, kind="unavailable"}}'
    series += [{"series": errors, "values": "0+30x120"}]
    checks = []
    for text in about_requests():
        (value,) = (value for start, value in OVER_PROTOCOLS.items() if start in text)
        for expression, expected in ((f"count({text})", 1), (f"max({text})", value)):
            samples = [{"labels": "{}", "value": expected}]
            checks.append({"expr": expression, "eval_time": "20m", "exp_samples": samples})
    case = {"interval": "15s", "input_series": series, "promql_expr_test": checks}
    (tmp_path / "cases.yaml").write_text(json.dumps({"rule_files": [], "tests": [case]}))
    assert "SUCCESS" in promtool("test", "rules", "cases.yaml")
