"""Large JSON bodies in pieces: the same answer as to the whole."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as with_fields

from linplane_server.interfaces.mlflow import MLFLOW
from linplane_server.interfaces.native import NATIVE, Native
from linplane_server.interfaces.v1 import V1_PROTOCOL
from linplane_server.predict import pieces
from linplane_server.predict.interface import Asked, Call, Interface, Slices, Target
from linplane_server.predict.pieces import PIECE, cut
from linplane_server.state.blocks import Blocks
from linplane_server.state.snapshot import Route
from unit.server.builders import Client, document, serving

LOADED = Blocks(lambda load: load())
LOADED()  # imports numpy

SPLIT = document("homes", split=[("v2", 5000)])
NUMBERS = st.integers(-99, 99).map(lambda number: number / 4)
BY_NAME = st.fixed_dictionaries({"area": NUMBERS, "rooms": NUMBERS})
IN_ORDER = st.lists(NUMBERS, min_size=2, max_size=2)
MISSING, UNKNOWN, BRACES = {"area": 1.0}, {"area": 1.0, "],[": 2.0}, {"area": 1.0, "},{": True}
NESTED, LARGE = {"rooms": 1, "area": {"rooms": [1, 2]}}, {"rooms": 1, "area": 1e999}
ARRAYS: list[Any] = [[1.0, True], ["],[", 1.0], [[1.0], [2.0]], [], [1e308, 1e308]]
ODD = st.sampled_from([MISSING, UNKNOWN, BRACES, NESTED, LARGE, *ARRAYS, None, 7])


def table(rows: Sequence[Any]) -> dict[str, Any]:
    """A split table; rows that are no objects are as they are."""
    return {"columns": ["area", "],["], "data": [list(r.values()) if isinstance(r, dict) else r for r in rows]}


FORMS: list[tuple[Interface, Any]] = [
    (NATIVE, lambda rows: {"rows": rows, "key": "a"}),
    (NATIVE, lambda rows: {"key": "b", "rows": rows}),
    (NATIVE, lambda rows: {"key": "[[1,2],", "rows": rows}),
    (NATIVE, lambda rows: {"rows": rows}),
    (NATIVE, lambda rows: {"rows": rows, "key": 1}),
    (NATIVE, lambda rows: {"rows": rows, "features": [1, 2]}),
    (V1_PROTOCOL, lambda rows: {"instances": rows, "key": "a"}),
    (V1_PROTOCOL, lambda rows: {"signature_name": "x", "inputs": rows, "key": "b"}),
    (MLFLOW, lambda rows: {"dataframe_records": rows, "params": {"key": "a"}}),
    (MLFLOW, lambda rows: {"dataframe_split": table(rows), "params": {"key": "b"}}),
    (MLFLOW, lambda rows: {"inputs": rows}),
    (V1_PROTOCOL, lambda rows: {"instances": rows, "parameters": rows, "key": "b"}),
    (MLFLOW, lambda rows: {"dataframe_split": {"columns": ["area", "rooms"], "data": rows, "index": rows}}),
]


async def both(interface: Interface, body: bytes, *, version: str | None = None) -> tuple[Any, Any]:
    """The answers to a body in pieces and as a whole, and the turns of others meanwhile."""
    loaded = replace(await serving(SPLIT), blocks=LOADED)
    target, call = (
        Target(interface, "homes", version),
        Call("POST", [], {b"content-type": b"application/json"}, "192.0.2.1", b""),
    )
    steps = Client(loaded).predictor.stream(target, call)
    assert next(steps) == 0
    try:
        steps.send(body)
        while True:
            steps.send(None)
    except StopIteration as done:
        return done.value, Client(loaded).predictor.respond(target, with_fields(call, data=body))


@settings(max_examples=150)
@given(
    which=st.sampled_from(FORMS),
    rows=st.lists(BY_NAME | IN_ORDER, min_size=3, max_size=12),
    odd=st.lists(ODD, max_size=1),
    spaces=st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " : ")]),
    damage=st.sampled_from([b"", b"x", b"]", b"}", b',{"area":1,"area":2,"rooms":1}']),
    shuffle=st.randoms(),
)
async def test_answer_to_pieces_is_that_to_the_whole(
    which: Any, rows: Any, odd: Any, spaces: Any, damage: bytes, shuffle: random.Random
) -> None:
    every = [*rows, *odd]
    shuffle.shuffle(every)
    interface, make = which
    body = json.dumps(make(every), separators=spaces).encode()
    place = shuffle.randrange(len(body))
    body = body[:place] + damage + body[place:]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "PIECE", 20)
        in_pieces, whole = await both(interface, body)
    assert in_pieces == whole


@pytest.mark.parametrize("which", FORMS[:3] + FORMS[6:10])
@pytest.mark.parametrize("by_name", [True, False], ids=["by name", "in order"])
def test_body_of_each_form_is_cut(which: Any, by_name: bool) -> None:
    interface, make = which
    rows = [{"area": 1.0, "rooms": 2.5} if by_name else [1.0, 2.5]] * 20_000
    body = json.dumps(make(rows)).encode()
    found = cut(body, interface.forms)
    assert len(found) >= len(body) // (2 * PIECE)
    assert max(map(len, found)) < 3 * PIECE
    assert all(isinstance(json.loads(piece), dict) for piece in found)


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"rows": [[1.0, 2.0]]}),
        json.dumps({"features": [1.0] * 100_000}),
        json.dumps({"rows": [1.0] * 100_000}),
        json.dumps({"key": '"', "rows": [[1.0, 2.0]] * 20_000}),
        "[" * 100_000,
    ],
    ids=["small", "one row", "no rows", "a key with an escape", "brackets"],
)
def test_other_body_stays_whole(body: str) -> None:
    assert cut(body.encode(), NATIVE.forms) == [body.encode()]


@pytest.mark.parametrize("which", FORMS[-2:], ids=["v1", "mlflow"])
@pytest.mark.parametrize("spaces", [(",", ":"), (" ,\n", ": ")], ids=["dense", "spaced"])
async def test_field_behind_the_rows_is_not_cut(which: Any, spaces: tuple[str, str]) -> None:
    interface, make = which
    rows = [[number / 7, 1.0] for number in range(9_000)]
    in_pieces, whole = await both(interface, json.dumps(make(rows), separators=spaces).encode(), version="v2")
    assert in_pieces == whole
    assert len(json.loads(whole[2])["predictions"]) == len(rows)


async def test_split_by_the_values_is_that_of_the_whole() -> None:
    body = json.dumps({"rows": [[number / 7, 1.0] for number in range(9_000)]}).encode()
    in_pieces, whole = await both(NATIVE, body)
    assert in_pieces == whole
    assert json.loads(whole[2])["assignedBy"] == "features"


async def test_version_that_the_path_names_needs_no_key() -> None:
    body = json.dumps({"rows": [[number / 7, 1.0] for number in range(9_000)]}).encode()
    in_pieces, whole = await both(NATIVE, body, version="v2")
    assert in_pieces == whole
    assert whole[0] == 200


async def test_body_that_stays_whole_is_decoded_once() -> None:
    decoded: list[int] = []

    class Counting(Native):
        def decode_in_slices(self, route: Route, call: Call) -> Slices[Asked]:
            decoded.append(len(call.body()))
            return super().decode_in_slices(route, call)

    body = json.dumps({"key": '"', "rows": [[1.0, 2.0]] * 20_000}).encode()
    in_pieces, whole = await both(Counting(), body)
    assert in_pieces == whole
    assert decoded == [len(body)]
