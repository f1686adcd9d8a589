"""Whether a row may be an array."""

from hypothesis import given
from hypothesis import strategies as st

from linplane_api.routing import RouteDocument, Unavailable
from linplane_server.state.array_order import array_order
from unit.server.builders import document

NEVER = Unavailable("NeverServed", "no version is Ready yet")
SHORT, LONG, OTHER = ("a",), ("a", "b"), ("b", "a")


def ordered(current: tuple[str, ...], candidate: tuple[str, ...] | None, **named: tuple[str, ...]) -> RouteDocument:
    """A document of v1, perhaps a candidate v2, and versions that are named otherwise."""
    served = {"v1": current} | ({"v2": candidate} if candidate else {})
    versions = {name: dict.fromkeys(features, 1.0) for name, features in served.items()}
    return document(versions=versions, split=[("v2", 1)] if candidate else [], named=named)


def test_array_order_is_that_of_the_versions_that_may_answer() -> None:
    assert array_order(ordered(LONG, None)) == (LONG, ())
    assert array_order(ordered(LONG, LONG)) == (LONG, ())
    assert array_order(ordered(LONG, OTHER)) == (None, ("v1", "v2"))
    assert array_order(ordered(LONG, SHORT)) == (None, ("v1", "v2"))


def test_array_order_is_kept_after_a_switch_to_more_features_and_back() -> None:
    for current, previous in ((SHORT, LONG), (LONG, SHORT)):
        assert array_order(ordered(current, None, v0=previous)) == (current, ())


def test_array_order_is_none_while_an_array_could_be_one_of_the_version_before() -> None:
    assert array_order(ordered(LONG, None, v0=OTHER)) == (None, ("v1", "v0"))
    assert array_order(ordered(LONG, LONG, v0=OTHER, v3=SHORT)) == (None, ("v1", "v0"))


features = st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True).map(tuple)


@given(features, features | st.none(), st.dictionaries(st.sampled_from(["v0", "v3"]), features))
def test_array_that_is_accepted_means_the_same_in_every_version_of_its_length(
    current: tuple[str, ...], candidate: tuple[str, ...] | None, named: dict[str, tuple[str, ...]]
) -> None:
    doc = ordered(current, candidate, **named)
    order, disagreeing = array_order(doc)
    assert (order is None) is bool(disagreeing)
    if order is not None:
        assert order == current
        assert candidate in (None, order)
        assert {features for features in named.values() if len(features) == len(order)} <= {order}


def test_array_order_is_none_without_a_version_that_may_answer() -> None:
    assert array_order(document(current=None, versions={}, unavailable=NEVER)) == (None, ())
