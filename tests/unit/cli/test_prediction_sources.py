"""Predictions that are computed one by one, gathered for the output."""

import contextlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_cli.csv_rows import RowError
from linplane_cli.prediction_sources import RefusedRow, gathered


@given(st.lists(st.sampled_from("ab"), max_size=40), st.sampled_from([None, RowError(1, "x"), RefusedRow(1, "x")]))
def test_gathered_rows_are_those_that_were_computed(names: list[str], error: Exception | None) -> None:
    origins = {"a": {"version": "a"}, "b": {"version": "b"}}

    def computed() -> Iterator[tuple[float, dict[str, str]]]:
        for place, name in enumerate(names):
            yield float(place), origins[name]
        if error is not None:
            raise error

    found: list[tuple[float, str]] = []
    with contextlib.ExitStack() as stack:
        if error is not None:
            stack.enter_context(pytest.raises(type(error)))
        for answer in gathered(computed()):
            found += [(value, answer.origin["version"]) for value in answer.values]
    assert found == list(enumerate(names))
