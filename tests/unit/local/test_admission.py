"""Admission of local mode: validation of ConfigMaps, and fields without effect."""

from typing import Any

import pytest

from linplane_api.kinds import LINEAR_MODEL, MODEL_SERVER
from linplane_operator.local.admission import ignored_fields, validate_config_map
from unit.local.builders import body, config_map, model


@pytest.mark.parametrize(
    ("change", "field", "part"),
    [
        ({"date": {}}, "date", 'unknown field "date"'),
        ({"metadata": None}, "metadata.name", "Required value"),
        ({"metadata": {"name": "A b"}}, "metadata.name", "a lowercase RFC 1123 subdomain"),
        ({"metadata": {"name": "a" * 254}}, "metadata.name", "a lowercase RFC 1123 subdomain"),
        ({"metadata": {"name": "linplane-routing-default"}}, "metadata.name", "are reserved"),
        ({"metadata": {"name": "a", "labels": {"a": 1}}}, "metadata.labels", "a mapping of text"),
        ({"metadata": {"name": "a", "annotations": []}}, None, ""),
        ({"immutable": "yes"}, "immutable", "true or false"),
        ({"data": ["a"]}, "data", "a mapping of text"),
        ({"data": {"a": 1}}, "data.a", "quote it"),
        ({"data": {"a/b": "1"}}, "data.a/b", "a key is letters"),
        ({"data": {"..": "1"}}, "data...", "a key is letters"),
        ({"data": {"a\n": "1"}}, "data.a\n", "a key is letters"),
        ({"binaryData": {"b": "!"}}, "binaryData.b", "base64"),
        ({"binaryData": {"a": "aGk="}}, "binaryData.a", "is also a key of data"),
        ({"data": {"a": "é" * (1 << 19)}}, None, ""),
        ({"data": {"a": "é" * (1 << 19), "b": "1"}}, "data", "Too long: may not be more than 1048576 bytes"),
        ({"data": None, "binaryData": {"b": "aGk="}, "immutable": True}, None, ""),
    ],
)  # fmt: skip
def test_config_map_problems(change: dict[str, Any], field: str | None, part: str) -> None:
    found = validate_config_map({**config_map(), **change})
    assert [place for place, _ in found] == ([field] if field else [])
    assert all(part in message for _, message in found)


def test_ignored_fields_of_a_server_and_a_training() -> None:
    assert ignored_fields(MODEL_SERVER, body(MODEL_SERVER, "default", spec={"replicas": 2})) == []
    assert ignored_fields(MODEL_SERVER, body(MODEL_SERVER, "default", spec={"image": "a", "replicas": 9})) == [
        "spec.image has no effect in local mode",
        "spec.replicas has no effect in local mode",
    ]
    assert ignored_fields(LINEAR_MODEL, model()) == []
