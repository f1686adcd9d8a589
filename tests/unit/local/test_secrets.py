"""Secrets of local mode: read from the manifests as an API server takes them, stored nowhere, repeated nowhere."""

import base64
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_api.kinds import JOB, LINEAR_MODEL
from linplane_operator.compile.objects import Object
from linplane_operator.local.manifests import GONE_SECONDS
from linplane_operator.local.secrets import keys_of, problems_of_secret
from unit.local.builders import body, model, owned
from unit.local.watching import Folder

CANARY = "c4n4ry"
ENCODED = base64.b64encode(CANARY.encode()).decode()


def secret(name: str = "reader", **parts: Any) -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, **parts}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.mark.parametrize(
    ("change", "field", "part"),
    [
        ({"stringData": {"password": CANARY}, "type": "Opaque", "immutable": True}, None, ""),
        ({"data": {"password": ENCODED}}, None, ""),
        ({"data": {"password": f"{ENCODED[:4]}\n{ENCODED[4:]}"}}, None, ""),
        ({"data": {"password": CANARY}}, "data.password", "base64 is needed; stringData takes plain text"),
        ({"stringData": {"password": 12345}}, "stringData.password", "must be text: put it into quotes"),
        ({"stringData": [CANARY]}, "stringData", "a mapping of keys"),
        ({"stringData": {"a/b": CANARY}}, "stringData.a/b", "a key is letters"),
        ({"binaryData": {"password": ENCODED}}, "binaryData", "unknown field"),
        ({"metadata": {"name": "A"}}, "metadata.name", "a lowercase RFC 1123 subdomain"),
        ({"stringData": {"a": "é" * (1 << 19), "b": "1"}}, "data", "Too long"),
    ],
)
def test_secret_problems(change: dict[str, Any], field: str | None, part: str) -> None:
    found = problems_of_secret({**secret(), **change})
    assert [place for place, _ in found] == ([field] if field else [])
    assert all(part in message and CANARY not in message for _, message in found)


@given(st.dictionaries(st.from_regex("[-._a-z]{3,9}", fullmatch=True), st.text(max_size=20), max_size=4))
def test_secret_has_the_same_values_encoded_and_plain(values: dict[str, str]) -> None:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    assert problems_of_secret(secret(data=encoded)) == []
    assert keys_of(secret(data=encoded)) == keys_of(secret(stringData=values)) == values


def test_secret_takes_plain_values_before_encoded_ones() -> None:
    both = secret(data={"a": ENCODED, "b": ENCODED, "bytes": "/w=="}, stringData={"a": "plain"})
    assert keys_of(both) == {"a": "plain", "b": CANARY}


def test_secret_lives_as_long_as_its_file(folder: Folder) -> None:
    """A mistake in it changes nothing, as for other objects."""
    folder.save("all.yaml", model(), secret(stringData={"password": CANARY}))
    assert folder.manifests.secret("reader") == {"password": CANARY}
    assert folder.manifests.secret("other") == {}
    folder.write("all.yaml", "kind: [")
    assert folder.manifests.secret("reader") == {"password": CANARY}
    folder.save("all.yaml", model(), secret(stringData={"password": 1}))
    assert folder.manifests.secret("reader") == {"password": CANARY}
    folder.save("all.yaml", model(), secret(data={"password": base64.b64encode(b"new").decode()}))
    assert folder.manifests.secret("reader") == {"password": "new"}
    assert folder.problems == []
    folder.remove("all.yaml")
    folder.look(GONE_SECONDS * 2)
    assert folder.manifests.secret("reader") == {}


def test_secret_of_a_name_that_is_taken_is_a_problem(folder: Folder) -> None:
    folder.save("a.yaml", secret(stringData={"password": "first"}))
    folder.save("b.yaml", secret(stringData={"password": CANARY}))
    assert folder.problems == [
        "b.yaml:4: metadata.name: Secret reader is also defined in a.yaml:1, which takes precedence"
    ]
    assert folder.manifests.secret("reader") == {"password": "first"}


@pytest.mark.parametrize(
    "text",
    [
        f"stringData: {{password: {CANARY}}}",
        f"data: {{password: {CANARY}}}",
        "stringData: {password: 7377337}",
        f"stringData: {{password: {CANARY}, password: {CANARY}}}",
        f"stringData: {{password: [{CANARY}]}}",
        f"stringData: {{password: {CANARY}\n",
        f"stringData: {{password: '{CANARY}\n",
        f"stringData: {{password: *{CANARY}}}",
        f"stringData: {{password: !!{CANARY} x}}",
        f"stringData: {CANARY}",
        f"wrong: {CANARY}",
    ],
)
def test_secret_is_in_no_file_of_the_state_and_no_line(folder: Folder, tmp_path: Path, text: str) -> None:
    folder.write("reader.yaml", f"apiVersion: v1\nkind: Secret\nmetadata: {{name: reader}}\n{text}\n")
    folder.save("v1.yaml", model())
    written = b"".join(path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file())
    assert b"rent-v1" in written
    for canary in (CANARY, ENCODED, "7377337"):
        assert canary.encode() not in written
        assert canary not in f"{folder.problems}{folder.printed.lines}"


def test_secret_that_changes_starts_a_failed_training_again(folder: Folder) -> None:
    """Of the versions that name it alone."""
    s3 = {"bucket": "rows", "path": "a.csv"}
    folder.save("v1.yaml", model(training={"data": {"s3": {**s3, "secretName": "reader"}}, "target": "rent"}))
    folder.save("v2.yaml", model("rent-v2", training={"data": {"s3": s3}, "target": "rent"}))
    assert folder.problems == []
    failed = {"status": {"conditions": [{"type": "Failed", "status": "True"}]}}
    for name in ("rent-v1", "rent-v2"):
        owner = folder.store.get(LINEAR_MODEL, name)
        assert owner is not None
        folder.store.create(JOB, body(JOB, f"linplane-{name}", metadata=owned(owner), **failed))
    folder.save("reader.yaml", secret(stringData={"accessKeyId": CANARY}))
    assert [job["metadata"]["name"] for job in folder.store.all(JOB)] == ["linplane-rent-v2"]
