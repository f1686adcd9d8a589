"""values.yaml, its schema, its comments and the README's table say the same."""

import json
from collections.abc import Iterator
from typing import Any

import helm_python
import pytest
import yaml

from chart import table
from chart.render import CHART, render

VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
HELMS_OWN = {"global"}  # set by a chart that has this one as a dependency


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").removeprefix("#/$defs/")
    return SCHEMA["$defs"][name] if name else schema


def fixed(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Each object with fixed keys, by the path of its values."""
    schema = resolved(schema)
    if "properties" in schema:
        yield path, schema
        for key, below in schema["properties"].items():
            yield from fixed(below, f"{path}.{key}".lstrip("."))


def at(path: str) -> Any:
    part: Any = VALUES
    for key in filter(None, path.split(".")):
        part = part[key] if isinstance(part, dict) and key in part else None
    return part


def test_values_schema_has_exactly_the_values() -> None:
    for path, schema in fixed(SCHEMA):
        assert schema["additionalProperties"] is False, path
        values = at(path)
        if isinstance(values, dict) and not path.endswith("resources"):
            assert values.keys() == schema["properties"].keys() - HELMS_OWN, path


def test_definition_of_the_schema_is_closed_or_says_why_not() -> None:
    """A map of names to strings is open in its keys alone; Kubernetes' own types are validated by Kubernetes."""
    for name, schema in SCHEMA["$defs"].items():
        if "properties" in schema:
            assert schema["additionalProperties"] is False, name


def test_value_has_a_comment_and_a_row() -> None:
    """The comment is a sentence and does not just repeat the name."""
    rows = list(table.values())
    assert len(rows) > 50
    for row in rows:
        assert len(row.comment) >= 9, row.path
        assert row.comment.endswith("."), row.path
        assert f"| `{row.path}` |" in (CHART / "README.md").read_text(encoding="utf-8")


def test_value_without_a_comment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "commented", lambda text: {})
    with pytest.raises(ValueError, match=r"image\.registry has no comment"):
        list(table.values())


BAD: list[dict[str, Any]] = [
    {"unknown": 1},
    {"image": {"registery": "x"}},
    {"image": {"tag": 5}},
    {"image": {"tag": "not a tag"}},
    {"image": {"registry": "https://x"}},
    {"image": {"pullPolicy": "Sometimes"}},
    {"image": {"pullSecrets": ["name"]}},
    {"fullnameOverride": "Upper"},
    {"commonLabels": {"a": 1}},
    {"commonLabels": {"app.kubernetes.io/name": "mine"}},
    {"watchNamespaces": "one"},
    {"watchNamespaces": ["one", "one"]},
    {"watchNamespaces": [""]},
    {"watchNamespaces": ["with space"]},
    {"hardened": "yes"},
    {"crds": {"enabled": "true"}},
    {"crds": {"install": True}},
    {"policies": {"versionInUse": "Refuse"}},
    {"policies": {"versionInUse": None, "operatorPods": 1}},
    {"rbac": {"create": 1}},
    {"operator": {"replicas": 2}},
    {"operator": {"image": {"digest": "sha256:abc"}}},
    {"operator": {"image": {"repository": "Upper"}}},
    {"operator": {"healthPort": 80}},
    {"operator": {"healthPort": 70000}},
    {"operator": {"resources": {"limit": {"memory": "1Gi"}}}},
    {"operator": {"resources": {"limits": {"memory": "1 GB"}}}},
    {"operator": {"tolerations": [{"effect": "Never"}]}},
    {"operator": {"env": [{"value": "nameless"}]}},
    {"operator": {"extraArgs": ["namespace"]}},
    {"operator": {"podLabels": {"bad key!": "x"}}},
    {"server": {"replicas": 2}},
    {"server": {"publicNames": "no"}},
    {"trainer": {"allowedHosts": "x"}},
    {"trainer": {"deniedAddresses": ["data.example"]}},
    {"metrics": {"service": {"port": 0}}},
    {"metrics": {"serviceMonitor": {"interval": "often"}}},
    {"metrics": {"rules": {"runbookUrl": "docs/alerts.md"}}},
    {"networkPolicies": {"metricsFrom": [{"namespace": "x"}]}},
    {"networkPolicies": {"apiServerPorts": []}},
    {"tests": {"enabled": "maybe"}},
]


def test_bad_values_are_at_least_thirty() -> None:
    assert len(BAD) >= 30


@pytest.mark.parametrize("values", BAD, ids=json.dumps)
def test_bad_values_are_refused_by_the_schema(values: dict[str, Any]) -> None:
    """The schema refuses it before anything is rendered, and names the path."""
    with pytest.raises(helm_python.HelmValuesError) as caught:
        render(values)
    assert next(iter(values)) in str(caught.value)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"operator": {"serviceAccount": {"create": False}}}, "operator.serviceAccount.name"),
        ({"hardened": True}, r"networkPolicies\.namespaces: with hardened it must name the namespaces"),
        ({"metrics": {"service": {"enabled": False}, "serviceMonitor": {"enabled": True}}}, "metrics.service.enabled"),
    ],
)
def test_values_that_contradict_each_other_fail(values: dict[str, Any], word: str) -> None:
    with pytest.raises(helm_python.HelmError, match=word):
        render(values)
