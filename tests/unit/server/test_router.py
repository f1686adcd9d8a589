"""The assignment of requests to versions."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_api.routing import Unavailable
from linplane_server.predict.router import choose
from linplane_server.predict.rows import values_key
from unit.server.builders import V1, compiled, document

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def _never() -> str:
    raise AssertionError("the rows are not needed here")


def test_router_without_a_share_needs_no_key() -> None:
    for split in ((), [("v2", 0)]):
        version, source = choose(compiled(document(split=split)), "anybody", None, _never)
        assert version is not None
        assert (version.name, source) == ("v1", "current")


def test_router_prefers_the_key_to_the_header_to_the_features() -> None:
    route = compiled(document(split=[("v2", 5000)]))
    rows = '[{"area":1.0,"rooms":2.0}]'
    picked = {}
    for name, key, header in (
        ("key", "a", "b"),
        ("header", None, "b"),
        ("features", None, None),
        ("features", None, ""),
    ):
        version, source = choose(route, key, header, lambda: rows)
        assert source == name
        picked[name] = version
    assert picked["key"] is choose(route, "a", None, _never)[0]
    assert picked["header"] is choose(route, "b", None, _never)[0]
    assert picked["features"] is choose(route, rows, None, _never)[0]


@pytest.mark.parametrize("nothing", [None, ""])
def test_empty_key_or_header_counts_as_absent(nothing: str | None) -> None:
    route, rows = compiled(document(split=[("v2", 5000)])), '[{"area":1.0,"rooms":2.0}]'
    assert choose(route, nothing, "user-1", _never) == choose(route, None, "user-1", _never)
    assert choose(route, nothing, "user-1", _never)[1] == "header"
    assert choose(route, nothing, nothing, lambda: rows) == choose(route, None, None, lambda: rows)
    assert choose(route, nothing, nothing, lambda: rows)[1] == "features"


@given(st.lists(st.tuples(FINITE, FINITE, st.integers(0, 2)), min_size=1, max_size=8))
def test_key_by_values_does_not_depend_on_the_form_of_a_row(drawn: list[tuple[float, float, int]]) -> None:
    route = compiled(document(split=[("v2", 5000)]))
    rows = [[[a, b], {"area": a, "rooms": b}, {"rooms": b, "area": a}][form] for a, b, form in drawn]
    plain = json.dumps([{"area": a, "rooms": b} for a, b, _ in drawn], separators=(",", ":"))
    assert values_key(route, rows, "/rows/{}".format) == plain


def test_array_and_object_of_the_same_values_are_the_same_user() -> None:
    route = compiled(document(split=[("v2", 5000)]))
    assert values_key(route, [[1.0, 2.0]], "/rows/{}".format) == values_key(
        route, [{"rooms": 2.0, "area": 1.0}], "/rows/{}".format
    )


@pytest.mark.parametrize(("split", "expected"), [([("v2", 10_000)], {"v2"}), ([("v2", 0)], {"v1"}), ([], {"v1"})])
def test_shares_of_all_and_nothing_are_exact(split: list[tuple[str, int]], expected: set[str]) -> None:
    route = compiled(document(split=split))
    assert {choose(route, str(i), None, _never)[0].name for i in range(500)} == expected


def test_share_is_kept_over_many_users() -> None:
    route = compiled(document(split=[("v2", 2500)]))
    hits = sum(choose(route, f"user-{i}", None, _never)[0].name == "v2" for i in range(4000))
    assert 0.22 < hits / 4000 < 0.28


def test_candidate_without_weights_gives_its_share_to_the_current_version() -> None:
    route = compiled(document(split=[("v2", 10_000)], versions={"v1": V1}, named={"v2": ("area", "rooms")}))
    assert choose(route, "a", None, _never)[0].name == "v1"


def test_frozen_current_version_leaves_the_candidates_answering() -> None:
    unavailable = Unavailable("CurrentFrozen", "v1 is frozen")
    route = compiled(document(split=[("v2", 5000)], versions={"v2": V1}, unavailable=unavailable))
    answers = {choose(route, str(i), None, _never)[0] for i in range(100)}
    assert {version and version.name for version in answers} == {"v2", None}
