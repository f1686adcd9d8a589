"""Canonical bytes are those of the library for RFC 8785, whichever way they are made."""

import math
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from linplane_api.canonical import MAX_DEPTH, FormatError, canonical_bytes

NUMBERS = st.one_of(
    st.integers(-(1 << 53) + 1, (1 << 53) - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-1e4, 1e4),
    st.floats(-1e-3, 1e-3),
)
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, st.text())
VALUES = st.recursive(LEAVES, lambda some: st.one_of(st.lists(some), st.dictionaries(st.text(), some)), max_leaves=20)


@given(VALUES)
@example([0.0, -0.0, 1.0, -1.0, 0.0001, 0.00009999, 1e-7, 9e15, 1e16, 1e21, 2.0**53, 5e-324, 333333333.33333329])
@example(2.0**53)
@example({"\ue000": 1, "\U00010000": 2, "a": '\x7f\u2028\x01\\"/é'})
def test_canonical_form_is_that_of_the_library(value: Any) -> None:
    assert canonical_bytes(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [math.nan, math.inf, 1 << 53, [-(1 << 53)], {"a": "\ud800"}, {1: 2}, object()])
def test_values_that_json_cannot_say_are_refused(value: Any) -> None:
    with pytest.raises(FormatError, match="not representable"):
        canonical_bytes(value)


@pytest.mark.parametrize("tip", [1, 1e-7, {"é": 1}])
@pytest.mark.parametrize("wrap", [lambda value: [value], lambda value: {"a": value}], ids=["arrays", "objects"])
def test_depth_of_a_value_is_bounded(tip: Any, wrap: Any) -> None:
    value = tip
    for _ in range(MAX_DEPTH - isinstance(tip, dict)):
        value = wrap(value)
    assert canonical_bytes(value) == rfc8785.dumps(value)
    with pytest.raises(FormatError, match="nested deeper than 64 levels"):
        canonical_bytes(wrap(value))
