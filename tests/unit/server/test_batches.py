"""Batches of many rows: computed as a block or row by row, with the same bytes in the response."""

import json
import math
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_api.blocks import predict_raw, predict_rows
from linplane_server.predict import rows as module
from linplane_server.predict.rows import BLOCK_ROWS
from linplane_server.state.blocks import Blocks, BlockSums
from linplane_server.state.serving import Serving
from support import eventually
from unit.server.builders import Client, document, serving

LOADED, NEVER = Blocks(lambda load: load()), Blocks(lambda _: None)
LOADED()  # imports numpy

NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -0.0, 1.0, 5e-324, 1e308, 2.0**-53])
GOOD = st.fixed_dictionaries({"area": NUMBERS, "rooms": NUMBERS}) | st.lists(NUMBERS, min_size=2, max_size=2)
BAD: list[Any] = [{"area": 1.0}, {"area": 1.0, "rooms": 1.0, "x~/": 2.0}, [1.0], [1e308, 1e308], [], {}]


def ask(loaded: Serving, blocks: Blocks, body: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    """The response but for the request's id, which differs in each."""
    status, headers, content = Client(replace(loaded, blocks=blocks)).ask(json.dumps(body).encode(), "homes")
    sent = headers.pop("x-request-id")
    return status, headers, content.replace(sent.encode(), b"ID")


@given(st.lists(GOOD, min_size=2, max_size=9), st.lists(st.sampled_from(BAD), max_size=2), st.randoms())
async def test_block_gives_the_same_bytes(good: list[Any], bad: list[Any], random: Any) -> None:
    rows = [*good, *bad]
    random.shuffle(rows)
    loaded = await serving(document("homes"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_ROWS", 2)
        assert ask(loaded, LOADED, {"rows": rows}) == ask(loaded, NEVER, {"rows": rows})


@pytest.mark.parametrize("count", [BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1])
@pytest.mark.parametrize("last", [None, *BAD])
async def test_batch_around_the_threshold_gives_the_same_bytes(count: int, last: Any) -> None:
    loaded = await serving(document("homes"))
    body = {"rows": [[0.1 * number, math.sin(number)] for number in range(count)] + ([] if last is None else [last])}
    assert ask(loaded, LOADED, body) == ask(loaded, NEVER, body)
    assert ask(loaded, LOADED, body)[0] == (200 if last is None else 422)


@pytest.mark.parametrize(("count", "asked"), [(1, False), (BLOCK_ROWS - 1, False), (BLOCK_ROWS, True)])
async def test_small_batch_does_not_import_numpy(count: int, asked: bool) -> None:
    started: list[Callable[[], None]] = []
    loaded = await serving(document("homes"))
    assert ask(loaded, Blocks(started.append), {"rows": [[1, 2]] * count})[0] == 200
    assert bool(started) is asked


def test_import_starts_once_and_no_call_waits_for_it() -> None:
    started: list[Callable[[], None]] = []
    blocks = Blocks(started.append)
    assert (blocks(), blocks(), len(started)) == (None, None, 1)
    started[0]()
    assert (blocks(), len(started)) == (BlockSums(predict_rows, predict_raw), 1)


def test_import_runs_in_a_thread_that_ends() -> None:
    blocks = Blocks()
    eventually(lambda: blocks() == (predict_rows, predict_raw))
    eventually(lambda: "numpy" not in [thread.name for thread in threading.enumerate()])
