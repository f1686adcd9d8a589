"""JSON that a typed decode refuses, parsed in slices: as the standard library parses it."""

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linplane_api.canonical import MAX_DEPTH
from linplane_server.errors import Malformed
from linplane_server.interfaces import lenient_json
from linplane_server.interfaces.json_body import check_depth
from linplane_server.interfaces.lenient_json import WINDOW, parse_leniently
from linplane_server.predict.interface import finished

SCALARS: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-9, 10**20) | st.floats() | st.text('ab"\\[]{},:\n\u20ac', max_size=4)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text("ab}]", max_size=2), inner),
    max_leaves=30,
)
SPACES = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " : ")])
DAMAGE = st.sampled_from(["", "", "x", "]", "[", "}", "{", ",", '"', ":", "\\", "1", "\t", '{"a":1,"a":2},', "1e999,"])


def by_library(text: str) -> Any:
    """The value, or the place of the error. Raises Malformed for a duplicate key."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise Malformed("not JSON: a duplicate key")
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=unique, parse_int=float)
    except json.JSONDecodeError as error:
        if error.msg.startswith("Illegal trailing comma"):  # which later libraries place at the comma
            error = json.JSONDecodeError(error.msg, text, _next(text, error.pos + 1))
        raise Malformed(f"not JSON (line {error.lineno}, column {error.colno})") from None


def _next(text: str, at: int) -> int:
    return at + len(text[at:]) - len(text[at:].lstrip(" \t\r\n"))


def outcome(parse: Any) -> str:
    """What a parser returns or raises; equal for NaN."""
    try:
        return repr(parse())
    except Malformed as error:
        return "duplicate key" if "duplicate key" in error.detail else error.detail


@settings(max_examples=300)
@given(value=VALUES, spaces=SPACES, damage=DAMAGE, window=st.sampled_from([1, 7, 30, WINDOW]), shuffle=st.randoms())
def test_value_or_error_is_that_of_the_standard_library(
    value: Any, spaces: tuple[str, str], damage: str, window: int, shuffle: random.Random
) -> None:
    text = json.dumps(value, separators=spaces)
    place = shuffle.randrange(len(text) + 1)
    text = text[:place] + damage + text[place:]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lenient_json, "WINDOW", window)
        found = outcome(lambda: finished(parse_leniently(text.encode())))
    assert found == outcome(lambda: by_library(text))


@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize("levels", [MAX_DEPTH, MAX_DEPTH + 1])
@pytest.mark.parametrize("inner", ["1", "1,[2],3", '"\\n"'])
def test_levels_are_bounded(opening: str, levels: int, inner: str) -> None:
    closing = "]" if opening == "[" else "}"
    inner = inner.replace("[2]", "2") if opening == "[" else '"\\n"'
    data = (opening * levels + inner + closing * levels).encode()
    if levels == MAX_DEPTH:
        assert finished(parse_leniently(data))
        check_depth(data)
        return
    for parse in (lambda: finished(parse_leniently(data)), lambda: check_depth(data)):
        with pytest.raises(Malformed, match="nested too deep"):
            parse()


SHAPES = {
    "short rows": "[" + ",".join(["[1]"] * 100_000) + "]",
    "numbers": "[" + ",".join(["1.25"] * 100_000) + "]",
    "texts": "[" + ",".join(['"a\\n"'] * 60_000) + "]",
    "rows by name": "[" + ",".join(['{"a":1,"b":[2]}'] * 30_000) + "]",
    "one object": "{" + ",".join(f'"x{number}":1' for number in range(40_000)) + "}",
    "levels": "[" * 60 + "1" + "],1" * 59 + "," + ",".join(["[[[1]]]"] * 50_000) + "]",
    "blanks": "[" + " " * 100_000 + ",".join(["1 "] * 50_000) + "]",
    "an error": "[" + ",".join(["[1]"] * 100_000) + ",x]",
}


@pytest.mark.parametrize("name", SHAPES)
def test_each_slice_is_of_a_few_thousand_characters(name: str) -> None:
    text = SHAPES[name]
    taken: list[int] = []
    places: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        real = lenient_json._run
        patch.setattr(lenient_json, "_run", lambda text, at, end: places.append(at) or real(text, at, end))
        work = parse_leniently(text.encode())
        try:
            while True:
                places.clear()
                next(work)
                taken.append(len(places))
        except (StopIteration, Malformed):
            taken.append(len(places))
    assert len(taken) >= len(text) // (2 * WINDOW)
    assert max(taken) <= WINDOW // lenient_json.STEP + 1
