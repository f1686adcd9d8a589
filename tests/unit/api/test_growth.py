"""Documents and artifacts that a later release wrote: fields that are not known are kept, and never change a digest; a
later format is refused by name.
"""

import json
from typing import Any

import msgspec
import pytest

import later as later_release
from linplane_api.artifact import copied_file, parse_artifact
from linplane_api.canonical import FormatError, FormatNotSupportedError, canonical_bytes, convert, digest_of
from linplane_api.report import Report
from linplane_api.routing import Entry, RateLimit, RouteDocument, make_entry, parse_entry
from linplane_api.task import parse_task
from unit.api.examples import document, trained


def later_document(body: dict[str, Any]) -> dict[str, Any]:
    """The document as a later release writes it: one more field in each object."""
    result = json.loads(json.dumps(body))
    result[later_release.FIELD] = "v7"
    for name, version in result["versions"].items():
        version["units"] = {"target": f"grams of {name}"}
        version["checks"][0]["why"] = "zeros"
    result["splitKey"]["cookie"] = "user"
    result["rateLimit"]["queue"] = 5
    result["split"][0]["since"] = "2026-11-28T12:00:00Z"
    return dict(result)


def entry_of(body: dict[str, Any], sequence: int = 4) -> str:
    revision = digest_of(canonical_bytes(body))
    return json.dumps({"document": body, "revision": revision, "sequence": sequence, "writtenBy": "a later release"})


def later() -> Entry:
    return parse_entry(entry_of(later_document(make_entry(document()).body)))


def test_entry_with_unknown_fields_is_read_and_written_as_it_is() -> None:
    body = later_document(make_entry(document()).body)
    found = parse_entry(entry_of(body))
    assert found.document == document()
    assert found.body == body
    assert found.revision == digest_of(canonical_bytes(body)) != make_entry(document()).revision
    assert parse_entry(found.to_bytes()) == found


def test_entry_without_unknown_fields_keeps_no_second_copy() -> None:
    assert parse_entry(make_entry(document()).to_bytes()).raw is None


def test_same_document_is_written_again_byte_for_byte() -> None:
    assert make_entry(document(), 4, later()).to_bytes() == later().to_bytes()
    assert make_entry(document(), 4, make_entry(document(), 4, later())).to_bytes() == later().to_bytes()


CHANGES: list[tuple[dict[str, Any], set[str]]] = [
    ({"previous": "v3", "features_by_version": document().features_by_version | {"v3": ("bill",)}}, set()),
    ({"split": ()}, {"since"}),
    ({"rate_limit": RateLimit(51.0, 100, "Client", 2)}, {"queue"}),
    ({"rate_limit": None}, {"queue"}),
    ({"split_key": msgspec.structs.replace(document().split_key, salt="new")}, {"cookie"}),
    ({"versions": {"v1": document().versions["v1"]}}, {"grams of v2"}),
]


@pytest.mark.parametrize(("change", "gone"), CHANGES)
def test_unknown_fields_go_with_what_they_belong_to(change: dict[str, Any], gone: set[str]) -> None:
    entry = make_entry(msgspec.structs.replace(document(), **change), 5, later())
    text = entry.to_bytes().decode()
    words = {later_release.FIELD, "grams of v1", "grams of v2", "cookie", "queue", "since"}
    assert {word for word in words if word not in text} == gone
    assert parse_entry(text) == entry


def test_unknown_fields_of_a_version_stay_while_its_digest_is_unchanged() -> None:
    """`v1` was made again; `v2` only lost its checks."""
    versions = document().versions
    again = msgspec.structs.replace(versions["v1"], digest="sha256:" + "0" * 64)
    bare = msgspec.structs.replace(versions["v2"], checks=())
    entry = make_entry(msgspec.structs.replace(document(), versions={"v1": again, "v2": bare}), 5, later())
    assert "units" not in entry.body["versions"]["v1"]
    assert entry.body["versions"]["v2"]["units"] == {"target": "grams of v2"}
    assert "checks" not in entry.body["versions"]["v2"]


def test_field_that_is_unset_is_not_written() -> None:
    bare = msgspec.structs.replace(document(), previous=None, rate_limit=None)
    assert "null" not in make_entry(bare).to_bytes().decode()
    assert "null" not in msgspec.structs.replace(trained(), target=None, training=None).to_file(None).decode()


def test_later_format_is_refused_by_name() -> None:
    body = {**make_entry(document()).body, "format": later_release.FORMAT, "whatever": 1, "route": 5}
    with pytest.raises(FormatNotSupportedError) as caught:
        parse_entry(entry_of(body))
    assert str(caught.value) == later_release.not_supported("document")
    artifact = {"format": later_release.FORMAT, "weights": []}
    with pytest.raises(FormatNotSupportedError, match=later_release.not_supported("artifact")):
        parse_artifact(json.dumps({"artifact": artifact, "digest": digest_of(canonical_bytes(artifact))}))


@pytest.mark.parametrize("value", [0, -1, "2", True, None, 1.5])
def test_format_that_is_no_format_is_damage(value: object) -> None:
    with pytest.raises(FormatError) as caught:
        parse_entry(entry_of({**make_entry(document()).body, "format": value}))
    assert not isinstance(caught.value, FormatNotSupportedError)


def test_later_format_of_another_revision_is_damage() -> None:
    body = json.loads(entry_of({**make_entry(document()).body, "format": later_release.FORMAT}))
    with pytest.raises(FormatError) as caught:
        parse_entry(json.dumps({**body, "revision": "sha256:" + "0" * 64}))
    assert not isinstance(caught.value, FormatNotSupportedError)


def later_artifact() -> dict[str, Any]:
    """An artifact file of a later release."""
    body = json.loads(trained().to_file("2026-01-01T00:00:00Z"))
    body["artifact"] |= {"link": "identity"}
    body["artifact"]["training"] |= {"solver": "exact"}
    body["artifact"]["checks"][0] |= {"why": "zeros"}
    return {**body, "digest": digest_of(canonical_bytes(body["artifact"])), "lineage": ["v0"]}


def test_artifact_with_unknown_fields_has_the_digest_of_its_own_json() -> None:
    file = parse_artifact(json.dumps(later_artifact()))
    assert file.artifact == trained()
    assert file.digest == later_artifact()["digest"] != trained().digest


def test_copy_of_weights_keeps_what_is_not_known() -> None:
    copy = json.loads(copied_file(json.dumps(later_artifact())))
    assert copy == {key: value for key, value in later_artifact().items() if key != "trainedAt"}


@pytest.mark.parametrize("place", [(), ("coefficients",)])
def test_weights_by_hand_stay_strict(place: tuple[str, ...]) -> None:
    body: dict[str, Any] = {"coefficients": {"area": 1}, "intercept": 7, **({} if place else {"interceptt": 1})}
    if place:
        body["coefficients"] = {"area": {"value": 1}}
    with pytest.raises(FormatError):
        parse_artifact(json.dumps(body))


def test_task_with_an_unknown_field_is_refused() -> None:
    task = {"model": "m", "version": "v1", "data": {"from": "synthetic", "samples": 9, "featureCount": 1, "noise": 0}}
    parse_task(json.dumps(task))
    with pytest.raises(FormatError, match="unknown field"):
        parse_task(json.dumps({**task, "target": "y", "weighting": "w"}))


def test_report_with_unknown_fields_is_read() -> None:
    body = {
        "serverName": "default", "podUID": "u", "startedAt": "now", "configMapUID": "c", "sequence": 1, "routes": 0,
        "formats": [1, 2], "region": "north", "lacking": [],
    }  # fmt: skip
    assert convert(body, Report, "report").formats == (1, 2)


def test_enumeration_of_versions_names_each_once() -> None:
    assert document().versions_named() == ("v1", "v2", "v3", "v0")
    assert convert(make_entry(document()).body, RouteDocument, "").versions_named() == ("v1", "v2", "v3", "v0")
