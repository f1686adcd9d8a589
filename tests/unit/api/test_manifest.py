"""Manifests are read as kubectl reads them, with the line of every field; what JSON cannot say is refused in words."""

import itertools
import time

import pytest

from linplane_api.manifests.manifest import Document, ManifestError, parse_field, read_documents


def only(text: str) -> Document:
    """The one object of a manifest."""
    (document,) = read_documents(text)
    return document


def refusal(text: str) -> ManifestError:
    """Why a manifest is not read."""
    with pytest.raises(ManifestError) as error:
        read_documents(text)
    return error.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("010", 8), ("0o10", 8), ("08", 8.0), ("0x10", 16), ("1_000", 1000), ("-3", -3), ("1.5", 1.5),
        ("1e-6", 1e-6), ("1e3", 1000.0),
        ("yes", True), ("off", False), ("True", True), ("~", None), ("", None), ("null", None),
        ("2020-01-01", "2020-01-01"), ("12:30", "12:30"), ("1.2.3", "1.2.3"), ("v1", "v1"),
        ('"1"', "1"), ("'yes'", "yes"), ("y", True), ("Y", True), ("n", False), ("N", False), ('"y"', "y"),
        ("yy", "yy"), ("<<", "<<"), ("!!bool On", True),
    ],
)  # fmt: skip
def test_scalars_resolve_as_for_kubectl(text: str, value: object) -> None:
    found = only(f"a: {text}\n").body["a"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "message", "reported"),
    [
        ("y", 'must be of type string: "boolean"', 'y is a boolean in YAML: write "y"'),
        ("1.10", 'must be of type string: "number"', '1.10 is a number in YAML: write "1.10"'),
        ("0.5", 'must be of type integer,string: "number"', '0.5 is a number in YAML: write "0.5"'),
        ("7", "text is needed: quote it", '7 is a number in YAML: write "7"'),
        ('"y"', 'must be of type string: "x"', None),
        ("y", 'must be of type integer: "boolean"', None),
        ("[y]", 'must be of type string: "array"', None),
        ("y", "is another thing", None),
    ],
)
def test_text_that_lacks_its_quotes_is_reported(text: str, message: str, reported: str | None) -> None:
    document = only(f"spec: {{target: {text}}}\n")
    assert document.message_for("spec.target", message) == (reported or message)
    assert document.message_for("spec.other", message) == message


@pytest.mark.parametrize("text", ["!!bool 7", '"\\ud800"', "!!int x", "? [a]\n: b", "!!float .inf"])
def test_manifests_that_kubectl_refuses_are_refused(text: str) -> None:
    assert refusal(f"a: {text}\n").line <= 2


def test_documents_with_lists_comments_marks_and_line_ends_are_read() -> None:
    text = "\ufeff# hello\n---\nkind: A\n---\n# nothing\n---\nkind: List\nitems:\n- kind: B\n- kind: C\n...\n"
    found = read_documents(text.replace("\n", "\r\n"))
    assert [(d.body["kind"], d.line) for d in found] == [("A", 3), ("B", 9), ("C", 10)]
    assert read_documents("") == read_documents("---\n") == []
    assert read_documents("kind: List\nitems: []") == []


def test_json_is_yaml() -> None:
    assert only('{"kind": "A",\n "n": [1, {"b": true}]}').body == {"kind": "A", "n": [1, {"b": True}]}


def test_anchors_and_merges_are_written_out() -> None:
    body = only("base: &base {a: 1, b: 2}\nother:\n  <<: *base\n  b: 3\nagain: *base\n").body
    assert body == {"base": {"a": 1, "b": 2}, "other": {"a": 1, "b": 3}, "again": {"a": 1, "b": 2}}
    assert body["base"] is not body["again"]


def test_line_of_a_field_or_of_its_nearest_parent() -> None:
    document = only("kind: A\nspec:\n  split:\n  - version: v2\n    percent: 5\n  model: m\n")
    lines = {
        "spec": 2, "spec.split[0]": 4, "spec.split[0].percent": 5, "spec.split[7].percent": 3, "spec.model": 6,
        "spec.version": 2, "metadata.name": 1, "": 1,
    }  # fmt: skip
    assert {field: document.line_of(field) for field in lines} == lines
    assert parse_field("spec.split[0].percent") == ("spec", "split", 0, "percent")


def test_key_of_an_object_whatever_its_metadata() -> None:
    assert only("kind: A\nmetadata: {name: b}").key == ("A", "b")
    for metadata in ("~", "[1]", "text", "{name: 7}", "{}"):
        assert only(f"kind: A\nmetadata: {metadata}").key[0] == "A"
    assert only("metadata: {}").key == ("None", "None")


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("a: 1\na: 2\n", 2, 'duplicate key "a"'),
        ("a:\n  b: 1\n  c: 1\n  b: 2\n", 4, 'duplicate key "b"'),
        ("kind: A\nb: [1, 2\n", 3, "not YAML"),
        ("kind: A\n\tb: 1\n", 2, "not YAML"),
        ("kind: A\nb: *c\n", 2, "undefined alias"),
        ("kind: A\n? [1]\n: 2\n", 2, "a key must be text"),
        ("- 1\n", 1, "an object with apiVersion, kind and metadata is needed"),
        ("kind: A\n---\ntext\n", 3, "an object with apiVersion, kind and metadata is needed"),
        ("kind: List\nitems:\n- 1\n", 3, "an item of a List is an object"),
        ("kind: A\nb: .nan\n", 2, "a number that is not finite"),
        ("kind: A\nb: -.inf\n", 2, "a number that is not finite"),
        ("kind: A\nb: 1e999\n", 2, "a number that is not finite"),
        (f"kind: A\nb: {'9' * 5000}\n", 2, "a number that is not finite, or not readable"),
        ("kind: A\nb: !!binary aGk=\n", 2, "binary is not a type of JSON"),
        ("kind: A\nb: !!set {c}\n", 2, "set is not a type of JSON"),
        ("kind: A\nb: !!timestamp 2020-01-01\n", 2, "timestamp is not a type of JSON"),
        ("kind: A\nb: !!python/object:os.system {}\n", 2, "could not determine a constructor"),
        ("kind: A\nb: &b [*b]\n", 2, "an alias that contains itself"),
        ("kind: A\nb: \x01\n", 2, "a character that YAML does not allow"),
        ("kind: A\nb: " + "[" * 5000, 1, "nested too deep"),
        ("%YAML 9.9\n---\nkind: A\n", 1, "not YAML"),
        (b"PK\x03\x04\x00\x00".decode(), 1, "not YAML"),
    ],
)
def test_manifests_that_are_refused_with_their_line(text: str, line: int, part: str) -> None:
    error = refusal(text)
    assert part in error.message
    assert error.line == line


def test_aliases_cannot_stand_for_billions_of_values() -> None:
    letters = "abcdefg"
    lines = [f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]" for a, b in itertools.pairwise(letters)]
    began = time.monotonic()
    assert "values, with aliases expanded" in refusal("\n".join(["a: &a [x,x,x,x,x,x,x,x,x]", *lines])).message
    assert time.monotonic() - began < 1


def test_data_of_a_megabyte_is_read_in_about_a_second() -> None:
    rows = "    1.5,2.25,3.125,4.0625\n" * 40_000
    began = time.process_time()
    assert len(only(f"kind: ConfigMap\ndata:\n  rows.csv: |\n{rows}").body["data"]["rows.csv"]) > 800_000
    assert time.process_time() - began < 5
