"""Alerts: each has cases and a runbook, and every metric that is named is exported."""

import json
import re
from pathlib import Path
from typing import Any, cast

import yaml
from prometheus_client import CollectorRegistry

from chart import matrix
from chart.render import CHART
from linplane_operator.kube.metrics import Counters, GaugesCollector
from linplane_operator.kube.metrics import metrics_registry as operator_metrics
from linplane_operator.observe.cache import ObjectCache
from linplane_server.http.metrics import ServerCollector
from linplane_server.http.metrics import metrics_registry as server_metrics
from linplane_server.state.serving import new_serving
from unit.operator.test_kube_metrics import figures

ROOT = Path(__file__).parents[3]
RULES = CHART / "files/rules.yaml"
CASES = Path(__file__).with_name("alerts.yaml")

Object = dict[str, Any]


def rules() -> list[Object]:
    """The alerts that the chart renders."""
    (body,) = [body for body in matrix.rendered("monitoring") if body["kind"] == "PrometheusRule"]
    return [rule for group in body["spec"]["groups"] for rule in group["rules"]]


def test_alert_has_a_case_of_both_kinds() -> None:
    cases = [case for test in yaml.safe_load(CASES.read_text("utf-8"))["tests"] for case in test["alert_rule_test"]]
    for rule in rules():
        seen = {bool(case["exp_alerts"]) for case in cases if case["alertname"] == rule["alert"]}
        assert seen == {True, False}, rule["alert"]


def test_alert_has_a_runbook() -> None:
    """Each alert has a heading in docs/alerts.md, and each heading an alert."""
    headings = re.findall(r"^## (\w+)$", (ROOT / "docs/alerts.md").read_text("utf-8"), re.MULTILINE)
    assert headings == [rule["alert"] for rule in rules()]
    for rule in rules():
        url, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert url.endswith("/docs/alerts.md")
        assert anchor == rule["alert"].lower()
        assert rule["labels"]["severity"] in ("critical", "warning", "info")


def expressions() -> list[str]:
    """Every PromQL text of the alerts and the dashboard."""
    dashboard = json.loads((CHART / "files/dashboard.json").read_text("utf-8"))
    found = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    found += [item["query"] for item in dashboard["templating"]["list"]]
    return [rule["expr"] for rule in rules()] + found


def metrics_named(text: str) -> set[str]:
    return set(re.findall(r"\b(?:linplane|process)_[a-z_]+\b", re.sub(r"\{[^}]*\}", "", text)))


def test_dashboard_is_valid_for_grafana() -> None:
    """One ConfigMap key with the same JSON; panels with distinct ids that do not overlap."""
    (body,) = [b for b in matrix.rendered("monitoring") if b["metadata"]["name"] == "linplane-dashboard"]
    dashboard = json.loads(body["data"]["linplane.json"])
    assert dashboard == json.loads((CHART / "files/dashboard.json").read_text("utf-8"))
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]]
    assert len(set(places)) == len(places)
    assert body["metadata"]["labels"]["grafana_dashboard"] == "yes"


class Hearing:
    """A source of routing as in a cluster, with the time at which the API server last responded."""

    name, heard_at = "kubernetes", 1.0


def registries() -> tuple[CollectorRegistry, CollectorRegistry]:
    """The registries of a server and of the operator, with every metric that they can export."""
    server = server_metrics(ServerCollector(new_serving(lambda: 0), cast("Any", Hearing())))
    operator = operator_metrics()
    Counters(operator).called("GET", "pods", 200)
    operator.register(GaugesCollector(figures, ObjectCache()))
    return server, operator


PACKAGES = {path.name for path in ROOT.glob("*/linplane_*")}
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}


def exported(registry: CollectorRegistry) -> set[str]:
    return {family.name + suffix for family in registry.collect() for suffix in SUFFIXES.get(family.type, ("",))}


def test_metric_that_is_named_is_exported() -> None:
    """Metrics named by the alerts, the dashboard and the pages of docs/."""
    known = set[str]().union(*map(exported, registries()))
    named = set[str]().union(*map(metrics_named, expressions()))
    assert len(named) > 15
    assert named <= known
    for page in (ROOT / "docs").glob("*.md"):
        on_page = set(re.findall(r"`(linplane_[a-z_]+)", page.read_text("utf-8"))) - PACKAGES
        assert on_page <= known, page
