"""Routing documents: equal values give equal bytes; complete or refused; errors repeat no content."""

import json
from typing import Any

import msgspec
import pytest

from linplane_api.canonical import FormatError, canonical_bytes
from linplane_api.routing import (
    Candidate,
    Entry,
    RouteDocument,
    RoutingMap,
    Unavailable,
    make_entry,
    parse_entry,
    routing_map,
)
from unit.api.examples import CANARY, damaged, document, shuffled


def test_entry_gives_the_same_document_back() -> None:
    entry = make_entry(document(), 12)
    assert parse_entry(entry.to_bytes()) == entry
    assert entry.revision == make_entry(document()).revision


def test_order_of_keys_does_not_matter() -> None:
    entry = make_entry(document(), 12)
    for seed in range(20):
        assert parse_entry(shuffled(entry.to_bytes(), seed)).to_bytes() == entry.to_bytes()


def test_equal_documents_give_equal_bytes_whatever_order_they_were_made_in() -> None:
    one = document()
    other = msgspec.structs.replace(
        one,
        versions=dict(reversed(one.versions.items())),
        features_by_version=dict(reversed(one.features_by_version.items())),
    )
    assert make_entry(one, 1).to_bytes() == make_entry(other, 1).to_bytes()  # fmt: skip


def test_sequence_is_outside_of_the_revision() -> None:
    assert make_entry(document(), 1).revision == make_entry(document(), 2).revision


@pytest.mark.parametrize(
    "field", ["route", "model", "current", "split", "split_key", "versions", "previous", "rate_limit"]
)
def test_revision_changes_with_every_change(field: str) -> None:
    one = document()
    other: dict[str, Any] = {
        "route": "other",
        "model": "other",
        "current": "v9",
        "split": (),
        "split_key": msgspec.structs.replace(one.split_key, salt="other"),
        "versions": {"v1": one.versions["v1"]},
        "previous": None,
        "rate_limit": None,
    }
    extra = {"unavailable": Unavailable("Frozen", "x")} if field == "current" else {}
    assert (
        make_entry(msgspec.structs.replace(one, **{field: other[field]}, **extra)).revision != make_entry(one).revision
    )


def test_damaged_entries_are_refused_or_unchanged() -> None:
    """Their sequence is outside of what the revision holds."""
    entry, refused = make_entry(document(), 12), 0
    for seed in range(1000):
        loaded, error = _loaded(damaged(entry.to_bytes(), seed))
        if loaded:
            assert (loaded.document, loaded.revision) == (entry.document, entry.revision), seed
        else:
            refused += 1
            assert error, seed
            assert CANARY not in error, seed
    assert refused > 900


def _loaded(data: bytes) -> tuple[Entry | None, str]:
    try:
        return parse_entry(data), ""
    except FormatError as error:
        return None, str(error)


THREE = [{"version": f"v{i}", "share": 1} for i in range(3)]
OVER = [{"version": "v2", "share": 9000}, {"version": "v3", "share": 1001}]
CHANGES: list[tuple[str, Any, str]] = [
    ("revision", "sha256:0", "revision: is not that of the document"),
    ("sequence", "12", "sequence: Expected `int`, got `str`"),
    (f"document.{CANARY}", CANARY, "revision: is not that of the document"),
    ("document.route", CANARY + "\n", "document.route: Expected `str` matching regex"),
    ("document.current", "v-1", "document.current: Expected `str` matching regex"),
    ("document.current", "v2", "document: split: duplicate version"),
    ("document.current", "v9", "document: unavailable: must be set exactly if the current version has no weights"),
    ("document.format", 2, "document: format 2 is not supported; this release reads 1"),
    ("document.format", 0, "document.format: Expected `int` >= 1"),
    ("document.split", THREE, "document.split: Expected `array` of length <= 2"),
    ("document.split", OVER, "document: at most two shares"),
    ("document.split", [{"version": "v2", "share": 10.5}], "document.split[0].share: Expected `int`, got `float`"),
    ("document.named", {}, "document: named: must give the features of every version with weights"),
    ("document.splitKey.header", "X Y", "document.splitKey.header: Expected `str` matching regex"),
    ("document.rateLimit.requestsPerSecond", 0, "document.rateLimit.requestsPerSecond: Expected `float` > 0"),
    ("document.versions.v1.intercept", 0, "document.versions: checks[0]: the answer differs from the stored one"),
    ("document.versions.v1.coefficients", [1], "document.versions: as many coefficients as features are needed"),
    ("document.versions.v1.digest", "sha256:X", "document.versions.digest: Expected `str`"),
]


@pytest.mark.parametrize(("field", "value", "message"), CHANGES)
def test_parts_of_an_entry_are_each_checked(field: str, value: Any, message: str) -> None:
    body = json.loads(make_entry(document(), 12).to_bytes())
    *parents, last = field.split(".")
    part = body
    for parent in parents:
        part = part[parent]
    part[last] = value
    with pytest.raises(FormatError) as caught:
        parse_entry(json.dumps(body))
    assert str(caught.value).startswith(message)
    assert CANARY not in str(caught.value)


def test_duplicate_feature_is_refused() -> None:
    served = document().versions["v1"]
    with pytest.raises(ValueError, match="features: duplicate name"):
        msgspec.structs.replace(served, features=("a", "a"), checks=())


def test_traffic_is_the_share_that_each_version_gets() -> None:
    assert document().traffic() == [("v1", 8975), ("v2", 1025)]
    alone = msgspec.structs.replace(document(), split=(Candidate("v2", 10_000), Candidate("v3", 0)))
    assert alone.traffic() == [("v2", 10_000)]
    missing = msgspec.structs.replace(document(), split=(Candidate("v9", 4000), Candidate("v2", 1)))
    assert missing.traffic() == [("v1", 9999), ("v2", 1)]


def test_route_that_never_served_is_a_document_too() -> None:
    why = Unavailable("NeverServed", "no version was Ready yet")
    nothing = RouteDocument("a", "m", None, (), document().split_key, {}, {}, unavailable=why)
    assert parse_entry(make_entry(nothing, 1).to_bytes()).document == nothing
    assert nothing.traffic() == []


def test_routing_map_is_a_configmaps_data() -> None:
    routing = RoutingMap("uid", 7, {"b": "2", "a": "1"})
    assert list(routing.to_data()) == ["route.a", "route.b", "sequence"]
    assert routing_map("uid", {**routing.to_data(), "other": "ignored"}) == routing


@pytest.mark.parametrize("text", ["", "-1", "1.0", "٣", "x", "1" * 19, None])
def test_sequence_is_a_whole_number(text: Any) -> None:
    with pytest.raises(FormatError, match="sequence: is not a whole number"):
        routing_map("uid", {"sequence": text} if text is not None else {})


def test_entry_has_one_spelling() -> None:
    """A reader may compare keys to see whether a route changed."""
    entry = make_entry(document(), 3)
    assert entry.to_bytes() == canonical_bytes(json.loads(entry.to_bytes()))
    assert isinstance(entry, Entry)
