"""The columns of `kubectl get`, read from the CRDs and from objects."""

from typing import Any

import pytest

from linplane_api.kinds import OURS
from linplane_api.manifests.validation import Column, column_value, load_schemas

SCHEMAS = load_schemas()
MODEL: dict[str, Any] = {
    "metadata": {"name": "m-v1", "creationTimestamp": "2026-01-01T00:00:00Z"},
    "spec": {"model": "m", "version": "v1"},
    "status": {
        "conditions": [
            {"type": "Trained", "status": "True"},
            {"type": "Ready", "status": "False", "reason": "AcceptanceMissed"},
        ],
        "mseSummary": "0.5",
        "r2Summary": "-1",
        "warningSummary": "FewRows",
        "samples": 0,
    },
}


def test_columns_of_a_model() -> None:
    row = {column.name: column_value(MODEL, column.json_path) for column in SCHEMAS.columns("LinearModel")}
    assert row == {
        "Model": "m",
        "Version": "v1",
        "Ready": "False",
        "Reason": "AcceptanceMissed",
        "Frozen": None,
        "MSE": "0.5",
        "R2": "-1",
        "Samples": 0,
        "Warnings": "FewRows",
        "Age": "2026-01-01T00:00:00Z",
    }


def test_columns_without_a_status_are_empty() -> None:
    for kind in OURS:
        assert {column_value({}, column.json_path) for column in SCHEMAS.columns(kind.kind)} == {None}


def test_column_knows_its_type() -> None:
    assert SCHEMAS.columns("ModelServer")[2] == Column("Replicas", ".status.replicas", "integer")


def test_warnings_are_a_column_of_wide_tables() -> None:
    assert [column.name for column in SCHEMAS.columns("LinearModel") if column.wide] == ["Warnings"]


def test_columns_of_an_unknown_kind_are_refused() -> None:
    with pytest.raises(KeyError):
        SCHEMAS.columns("ConfigMap")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (".spec.split[1].percent", 5),
        (".spec.split[2].percent", None),
        (".spec.split.percent", None),
        ('.spec.split[?(@.version=="v3")].percent', 5),
        (".spec.split[?(@.version=='v9')].percent", None),
        ('.spec.model[?(@.version=="v3")]', None),
        (".spec.model.deeper", None),
        ("", {"spec": {"model": "m", "split": [{"version": "v2"}, {"version": "v3", "percent": 5}]}}),
    ],
)
def test_column_paths_are_followed(path: str, value: Any) -> None:
    obj = {"spec": {"model": "m", "split": [{"version": "v2"}, {"version": "v3", "percent": 5}]}}
    assert column_value(obj, path) == value


@pytest.mark.parametrize("path", ["spec.model", "..model", ".spec.*", ".spec.split[*]", ".spec.split[?(@.percent>1)]"])
def test_column_path_that_is_unknown_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="unsupported path"):
        column_value(MODEL, path)
