"""Strategies for bodies of any client protocol. SECRET and 424242 are values that no answer may repeat."""

import json
from collections.abc import Sequence

from hypothesis import strategies as st

SECRET = "sEcReT"

numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**20), 10**20) | st.booleans()


def wild_bodies(fields: Sequence[str]) -> st.SearchStrategy[bytes]:
    """JSON of values at and around what a protocol accepts, with these fields, and arbitrary bytes."""
    values = st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.just(10**310) | st.just(SECRET) | st.just(424242),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from([*fields, "x\x1b\n", "\ud800"]), inner, max_size=4)
        ),
        max_leaves=10,
    )
    objects = st.dictionaries(st.sampled_from(fields), values, max_size=3)
    return (values | objects).map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40)


def texts_of(usual: str) -> st.SearchStrategy[str]:
    """A header's value: mostly the usual one."""
    return st.just(usual) | st.just(usual) | st.sampled_from(["", SECRET, "text/plain"])
