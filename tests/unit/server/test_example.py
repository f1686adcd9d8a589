"""The example of a route's row."""

from collections.abc import Mapping

import pytest

from linplane_api.routing import RouteDocument, Unavailable
from linplane_server.state.example import example_row
from unit.server.builders import document

FROZEN = Unavailable("CurrentFrozen", "v1 is frozen")
EXAMPLES: list[tuple[RouteDocument, Mapping[str, float]]] = [
    (document(), {"area": 1.0, "rooms": 1.0}),  # the second check row, as the first is all zeros
    (document(versions={"v1": {"a": 1.0}, "v2": {"b": 1.0}}, split=[("v2", 1)]), {"a": 1.0, "b": 1.0}),
    # the last check row of v1 moves a to 0.5, and v2 has none that is not all zeros
    (
        document(versions={"v1": {"a": 1.7e308}, "v2": {"a": 1e308, "b": 1e308}}, split=[("v2", 1)]),
        {"a": 1.0, "b": 0.0},
    ),
    (document(versions={"v1": {"a": 1e308, "b": 1e308}}), {"a": 0.0, "b": 0.0}),
    (
        document(versions={"v1": {"a": 1.0, "b": 1.0}, "v2": {"a": 1e308, "b": 1e308}}, split=[("v2", 1)]),
        {"a": 0.0, "b": 0.0},
    ),
    (document(named={"v0": ("old",)}), {"area": 1.0, "rooms": 1.0}),
    (document(versions={"v2": {"b": 1.0}}, split=[("v2", 1)], named={"v1": ("a",)}, unavailable=FROZEN), {"b": 1.0}),
    (document(versions={}, named={"v1": ("a",)}, unavailable=FROZEN), {"a": 0.0}),
    (document(current=None, versions={}, unavailable=FROZEN), {}),
]


@pytest.mark.parametrize(("given", "row"), EXAMPLES)
def test_example_is_a_check_row_that_every_version_answers(given: RouteDocument, row: Mapping[str, float]) -> None:
    assert example_row(given) == row
