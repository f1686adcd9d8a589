"""The prediction of one row."""

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from linplane_api.display import MAX_SHOWN
from linplane_server.errors import Invalid, MissingFeature
from linplane_server.predict.rows import LISTED, compute, values_key
from unit.server.builders import compiled, document


def place_of_features(_: int) -> str:
    return "/features"


finite = st.floats(allow_nan=False, allow_infinity=False)


def test_features_go_by_name_in_any_order() -> None:
    route = compiled()
    assert compute(route, route.versions["v1"], {"rooms": 3.0, "area": 5.0}, "") == 1 + 10 + 30
    assert compute(route, route.versions["v1"], [5.0, 3.0], "") == 41


def test_feature_of_another_named_version_is_accepted_and_not_needed() -> None:
    route = compiled(document(versions={"v1": {"area": 1.0}, "v2": {"area": 1.0, "age": 1.0}}))
    assert compute(route, route.versions["v1"], {"area": 1.0, "age": 9.0}, "") == 2
    with pytest.raises(MissingFeature) as caught:
        compute(route, route.versions["v2"], {"area": 1.0}, "/features")
    assert (caught.value.pointer, caught.value.version) == ("/features/age", "v2")


def test_array_needs_one_order_in_all_versions_that_it_could_be_for() -> None:
    route = compiled(document(versions={"v1": {"a": 1.0, "b": 2.0}, "v2": {"b": 1.0, "a": 2.0}}))
    with pytest.raises(Invalid, match="an object is needed"):
        compute(route, route.versions["v1"], [1.0, 2.0], "/features")
    earlier = compiled(document(versions={"v1": {"a": 1.0}}, named={"v0": ("b",)}))
    with pytest.raises(Invalid, match=r"an object is needed: the versions v1 \(current\), v0 of this route"):
        compute(earlier, earlier.versions["v1"], [1.0], "/features")
    shorter = compiled(document(versions={"v1": {"a": 1.0}}, named={"v0": ("a", "b")}))
    assert compute(shorter, shorter.versions["v1"], [1.0], "/features") == 2
    with pytest.raises(Invalid, match="1 value is needed, in this order: a; 2 are given"):
        compute(shorter, shorter.versions["v1"], [1.0, 2.0], "/features")


def test_array_of_another_length_is_refused() -> None:
    route = compiled()
    with pytest.raises(Invalid, match="2 values are needed, in this order: area, rooms; 3 are given"):
        compute(route, route.versions["v1"], [1.0, 2.0, 3.0], "/features")
    route = compiled(document(versions={"v1": {"area": 1.0}}))
    with pytest.raises(Invalid, match="1 value is needed, in this order: area; 2 are given"):
        compute(route, route.versions["v1"], [1.0, 2.0], "/features")


def test_unknown_features_are_named_with_those_of_the_route() -> None:
    route = compiled()
    row = {"area": 1.0, "bathrooms": 2.0, "rooms": 3.0, "floor": 4.0}
    for refused in (
        lambda: compute(route, route.versions["v1"], row, "/features"),
        lambda: values_key(route, [row], place_of_features),
    ):
        with pytest.raises(Invalid) as caught:
            refused()
        assert caught.value.detail == "unknown features bathrooms, floor; the route takes area, rooms"
        assert caught.value.pointer == "/features"


def test_lists_of_features_are_in_declared_order_the_current_version_first() -> None:
    versions = {"v1": {"wind": 1.0, "temp": 2.0}, "v0": {"solar": 1.0, "temp": 1.0}}
    route = compiled(document(versions=versions, split=[("v0", 10)]))
    with pytest.raises(Invalid, match=r"the route takes wind, temp, solar$"):
        compute(route, route.versions["v1"], {"wind": 1.0, "temp": 1.0, "x": 1.0}, "/features")
    same = compiled(document(versions={"v1": {"wind": 1.0, "temp": 2.0}}))
    with pytest.raises(Invalid) as caught:
        compute(same, same.versions["v1"], {"wind": 1.0, "temp": 1.0, "x": 1.0}, "/features")
    names = caught.value.detail.rpartition(" takes ")[2].split(", ")
    by_name_ = compute(same, same.versions["v1"], {"wind": 5.0, "temp": 7.0}, "")
    assert compute(same, same.versions["v1"], [{"wind": 5.0, "temp": 7.0}[name] for name in names], "") == by_name_


@pytest.mark.parametrize(
    ("needed", "sent", "shown"),
    [
        ("Gro\u0308\xdfe %", "Gr\xf6\xdfe %", (r"'Gro\u0308ße %'", "'Größe %'")),
        ("area", "area\u200b", ("area", r"area\u200b")),
        ("area", "area\xa0", ("area", r"area\xa0")),
        ("\ufeffarea", "area", (r"\ufeffarea", "area")),
        ("area", "\x1b[2Jarea", ("area", r"\x1b[2Jarea")),
    ],
)
def test_names_that_look_alike_are_shown_to_differ(needed: str, sent: str, shown: tuple[str, str]) -> None:
    route = compiled(document(versions={"v1": {needed: 1.0}}))
    with pytest.raises(MissingFeature) as caught:
        compute(route, route.versions["v1"], {sent: 1.0}, "/features")
    assert caught.value.detail == f"version v1 needs the feature {shown[0]}; unknown feature {shown[1]}"
    with pytest.raises(Invalid) as unknown:
        values_key(route, [{sent: 1.0}], place_of_features)
    assert unknown.value.detail == f"unknown feature {shown[1]}; the route takes {shown[0]}"


@given(st.dictionaries(st.text(min_size=1, max_size=300), st.just(1.0), min_size=1, max_size=60))
def test_message_about_any_names_is_one_short_printable_line(row: dict[str, float]) -> None:
    route = compiled()
    assume(not row.keys() <= route.accepted)
    with pytest.raises(Invalid) as caught:
        compute(route, route.versions["v1"], row, "/features")
    assert caught.value.detail.isprintable()
    assert len(caught.value.detail) < 80 + LISTED * (MAX_SHOWN + 4)


def test_list_of_features_is_truncated() -> None:
    route = compiled(document(versions={"v1": {f"f{i:03}": 1.0 for i in range(100)}}))
    with pytest.raises(MissingFeature, match=f"and {100 - LISTED} more") as caught:
        compute(route, route.versions["v1"], {}, "/features")
    assert len(caught.value.detail) < 300


def test_prediction_that_is_not_finite_is_refused_with_the_place() -> None:
    route = compiled(document(versions={"v1": {"area": 10.0, "rooms": 10.0}}))
    for row in ([1e308, 1.0], [1.7e308, -1.7e308], [1e307, 1e308]):
        with pytest.raises(Invalid) as caught:
            compute(route, route.versions["v1"], row, "/rows/3")
        assert caught.value.pointer == "/rows/3"


@given(st.lists(st.tuples(finite, finite), min_size=1, max_size=6))
def test_sum_is_exact(pairs: list[tuple[float, float]]) -> None:
    products = [c * v for c, v in pairs]
    exact = sum(map(Fraction, products), Fraction(1)) if all(map(_finite, products)) else None
    assume(exact is None or abs(exact) < Fraction(10) ** 308)
    try:
        route = compiled(document(versions={"v1": {f"x{i}": c for i, (c, _) in enumerate(pairs)}}))
    except ValueError:
        assume(False)
    row = {f"x{i}": v for i, (_, v) in enumerate(pairs)}
    if exact is None:
        with pytest.raises(Invalid):
            compute(route, route.versions["v1"], row, "")
    else:
        assert compute(route, route.versions["v1"], row, "") == float(exact)


def _finite(value: float) -> bool:
    return abs(value) < float("inf")
