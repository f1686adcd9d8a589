"""Bodies that are computed while they arrive: the same answer as to the whole body, in little memory."""

import asyncio
import json
import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as with_fields

from linplane_api.artifact import predict
from linplane_api.blocks import predict_raw
from linplane_api.routing import RouteDocument, Unavailable
from linplane_server.http.public_app import COMPRESSED, PublicApp
from linplane_server.http.public_pages import PublicPages
from linplane_server.http.streaming import Gone, drive
from linplane_server.interfaces.v2 import matrix_stream
from linplane_server.interfaces.v2.infer import INFERENCE
from linplane_server.interfaces.v2.tensors import DATATYPES
from linplane_server.predict.interface import Answer, Call, Target
from linplane_server.predict.parts import Steps
from linplane_server.predict.predictor import Predictor
from linplane_server.settings import Limits
from linplane_server.state.blocks import Blocks
from linplane_server.state.budget import Budget, Share
from linplane_server.turns import Turns
from unit.server.builders import V2, Client, document, serving
from unit.server.parts import both, cut, steps_of
from unit.server.wire import absent

LOADED, NEVER = Blocks(lambda load: load()), Blocks(lambda _: None)
LOADED()  # imports numpy

NAN, INFINITY = float("nan"), float("inf")
BY_VALUES = document("homes", split=[("v2", 5000)], header="X-User-Id")
CODES = {name: one.code for name, one in DATATYPES.items() if name != "BOOL"}


def matrix(rows: Sequence[Sequence[Any]], datatype: str = "FP64", **more: Any) -> tuple[bytes, bytes]:
    """The JSON of a request with one binary tensor of two columns, and the bytes of the tensor."""
    values = [value for row in rows for value in row]
    raw = struct.pack(f"<{len(values)}{DATATYPES[datatype].code}", *values)
    tensor = {"name": "x", "shape": [len(rows), 2], "datatype": datatype, "parameters": {"binary_data_size": len(raw)}}
    return json.dumps({"inputs": [tensor | more.pop("tensor", {})], **more}).encode(), raw


def call_of(text: bytes, raw: bytes, **headers: str) -> tuple[Call, bytes]:
    """A call without its body, and the body."""
    sent = {"inference-header-content-length": str(len(text)), "content-length": str(len(text + raw)), **headers}
    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in sent.items()]
    return Call("POST", fields, dict(fields), "192.0.2.1", b""), text + raw


NUMBERS = st.integers(-1_000, 1_000).map(lambda number: number / 8)
ROWS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=12)
WRONG = st.sampled_from([(NAN, 1.0), (1.0, INFINITY), (1.7e308, 1.7e308)])
MORE: list[dict[str, Any]] = [
    {},
    {"id": "a", "outputs": [{"name": "prediction", "parameters": {"binary_data": True}}]},
    {"parameters": {"binary_data_output": True, "key": "user-1"}},
    {"parameters": {"key": 1}},
    {"outputs": [{"name": "y"}]},
    {"tensor": {"shape": [3]}},
    {"tensor": {"shape": [1, 3]}},
    {"tensor": {"name": "area"}},
    {"tensor": {"datatype": "BYTES"}},
    {"tensor": {"parameters": {"binary_data_size": 8}}},
    {"tensor": {"parameters": {"binary_data_size": 8_000}}},
    {"tensor": {"data": [1.0, 2.0]}},
]


@pytest.mark.parametrize("blocks", [LOADED, NEVER], ids=["numpy", "no numpy"])
@settings(max_examples=60)
@given(
    rows=ROWS,
    wrong=st.lists(WRONG, max_size=2),
    more=st.sampled_from(MORE),
    version=st.sampled_from([None, "v2", "v9"]),
    header=st.sampled_from(["", "user-2"]),
    cuts=st.lists(st.integers(1, 400), max_size=8),
    shuffle=st.randoms(),
)
async def test_answer_to_a_body_in_parts_is_that_to_the_whole(
    blocks: Blocks, rows: Any, wrong: Any, more: dict[str, Any], version: Any, header: str, cuts: Any, shuffle: Any
) -> None:
    every = [*rows, *wrong]
    shuffle.shuffle(every)
    loaded = replace(await serving(BY_VALUES), blocks=blocks)
    call, body = call_of(*matrix(every, **more), x_user_id=header)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matrix_stream, "BLOCK_NUMBERS", 6)
        patch.setattr("linplane_server.predict.rows.MATRIX_ROWS", 2)
        streamed, whole = both(loaded, Target(INFERENCE, "homes", version), call, cut(body, cuts))
    assert streamed == whole


@settings(max_examples=60)
@given(datatype=st.sampled_from(sorted(CODES)), data=st.data())
async def test_rows_of_every_datatype_are_computed_from_their_bytes(datatype: str, data: st.DataObject) -> None:
    bounds = DATATYPES[datatype].bounds
    element = st.integers(*bounds) if bounds else NUMBERS
    rows = data.draw(st.lists(st.tuples(element, element), min_size=1, max_size=9))
    text, raw = matrix(rows, datatype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("linplane_server.predict.rows.MATRIX_ROWS", 1)
        loaded = replace(await serving(document("homes")), blocks=LOADED)
        call, body = call_of(text, raw)
        streamed, whole = both(loaded, Target(INFERENCE, "homes"), call, [body])
    assert streamed == whole
    found = json.loads(whole[0][2])["outputs"][0]["data"]
    assert found == [predict((2.0, 10.0), 1.0, [float(value) for value in row]) for row in rows]
    assert list(predict_raw((2.0, 10.0), 1.0, raw, CODES[datatype])) == found


@pytest.mark.parametrize("blocks", [LOADED, NEVER], ids=["numpy", "no numpy"])
@pytest.mark.parametrize(
    ("wrong", "text"), [((NAN, 1.0), "a finite number is needed"), ((1.7e308, 1.7e308), "too large")]
)
@pytest.mark.parametrize("number", [0, 69, 199])
async def test_row_that_is_wrong_is_named_by_its_number(blocks: Blocks, wrong: Any, text: str, number: int) -> None:
    rows = [(1.0, 2.0)] * 200
    rows[number] = wrong
    rows[-1] = rows[-1] if number == 199 else (NAN, NAN)
    loaded = replace(await serving(document("homes")), blocks=blocks)
    call, body = call_of(*matrix(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matrix_stream, "BLOCK_NUMBERS", 140)
        streamed, whole = both(loaded, Target(INFERENCE, "homes"), call, cut(body, [500, 1_000]))
    assert streamed == whole
    assert whole[0][0] == 400
    assert json.loads(whole[0][2])["error"].startswith(f"row {number}: ")
    assert text in json.loads(whole[0][2])["error"]


async def test_version_without_weights_is_refused_after_the_whole_body() -> None:
    gone = Unavailable("CurrentFrozen", "v1 is frozen")
    loaded = await serving(
        document("homes", current="v1", versions={}, unavailable=gone, named={"v1": ("area", "rooms")})
    )
    call, body = call_of(*matrix([(1.0, 2.0)] * 9))
    streamed, whole = both(loaded, Target(INFERENCE, "homes"), call, cut(body, range(0, 400, 50)))
    assert streamed == whole
    assert whole[0][0] == 503


@pytest.mark.parametrize("rows", [10_000, 40_000])
async def test_rows_are_held_only_until_they_are_computed(rows: int) -> None:
    loaded = replace(await serving(document("homes")), blocks=LOADED)
    call, body = call_of(*matrix([(1.0, 2.0)] * rows, parameters={"binary_data_output": True}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matrix_stream, "BLOCK_NUMBERS", 2_000)
        predictor = Client(loaded).predictor
        *steps, answer = steps_of(
            predictor.stream(Target(INFERENCE, "homes"), call), cut(body, range(0, len(body), 8_192))
        )
    held = [step for step in steps if step is not None]
    assert max(held) <= 16_000 + 8 * rows  # a block, and the predictions
    assert steps.count(None) >= rows // 1_000
    assert answer[0] == 200
    assert len(answer[2]) > 8 * rows


async def test_rest_of_a_body_that_is_refused_is_dropped() -> None:
    call, body = call_of(*matrix([(1.0, 2.0)] * 10_000))
    predictor = Client(await serving(document("homes"))).predictor
    *steps, answer = steps_of(
        predictor.stream(Target(INFERENCE, "absent"), call), cut(body, range(0, len(body), 8_192))
    )
    assert steps == [0] * (len(cut(body, range(0, len(body), 8_192))) + 1)
    assert answer[0] == 404


class Body:
    """The messages of a request's body, as an application receives them."""

    def __init__(self, *parts: bytes, gone: bool = False) -> None:
        self.messages: list[dict[str, Any]] = [
            {"type": "http.request", "body": part, "more_body": gone or number < len(parts)}
            for number, part in enumerate(parts, 1)
        ]
        self.messages += [{"type": "http.disconnect"}] * gone

    async def __call__(self) -> Any:
        return self.messages.pop(0)


async def driven(call: Call, receive: Body, limit: int = 1_000_000, budget: int = 1_000_000, taken: int = 0) -> Answer:
    """The answer to a body that is read part by part, while others hold `taken` bytes of the budget."""
    shared = Budget(budget)
    Share(shared).keep(taken)
    predictor: Predictor = Client(replace(await serving(document("homes")), blocks=LOADED)).predictor
    return await drive(predictor.stream(Target(INFERENCE, "homes"), call), receive, limit, Share(shared), Turns())


async def test_body_is_read_to_its_end() -> None:
    call, body = call_of(*matrix([(1.0, 2.0)]))
    receive = Body(*cut(body, [10, 20, 150]), b"")
    assert (await driven(call, receive))[0] == 200
    assert not receive.messages


async def test_body_over_the_limit_is_not_read_to_its_end() -> None:
    call, body = call_of(*matrix([(1.0, 2.0)] * 100))
    receive = Body(*cut(body, range(100, 1_600, 100)))
    assert (await driven(call, receive, limit=1_000))[0] == 413
    assert len(receive.messages) == 5


async def test_refusal_stays_if_what_is_dropped_is_over_the_limit() -> None:
    call, body = call_of(*matrix([(1.0, 2.0)] * 100, outputs=[{"name": "y"}]))
    receive = Body(*cut(body, range(100, 1_600, 100)))
    assert (await driven(call, receive, limit=1_000))[0] == 400
    assert receive.messages


async def test_body_over_the_budget_of_all_is_refused_for_now() -> None:
    call, body = call_of(*matrix([(1.0, 2.0)] * 100))
    receive = Body(*cut(body, range(100, 1_600, 100)))
    status, headers, _ = await driven(call, receive, taken=999_000)
    assert status == 503
    assert (b"retry-after", b"1") in headers
    assert receive.messages
    assert (await driven(call, Body(body), taken=999_000))[0] == 200  # nothing is awaited


async def test_body_for_which_there_is_never_room_is_too_large() -> None:
    call, body = call_of(*matrix([(1.0, 2.0)] * 100))
    receive = Body(*cut(body, range(100, 1_600, 100)))
    status, headers, content = await driven(call, receive, budget=1_000)
    assert status == 413
    assert b"send fewer rows" in content
    assert not any(name == b"retry-after" for name, _ in headers)


async def test_body_of_which_too_much_would_be_held_is_refused() -> None:
    call, body = call_of(*matrix([(1.0, 2.0)] * 100, tensor={"name": "area", "shape": [200]}))
    receive = Body(*cut(body, range(100, 1_600, 100)))
    status, _, content = await driven(with_fields(call, max_body=1_000), receive)
    assert status == 413
    assert b"over 1000 bytes" in content


FROZEN = document("homes", current="v2", versions={"v2": V2})
SAME = document("homes", split=[("v2", 1)])


@pytest.mark.parametrize(("changed", "status"), [(FROZEN, 503), (SAME, 200)], ids=["frozen", "kept"])
async def test_version_that_is_withdrawn_while_a_body_arrives_does_not_answer(
    changed: RouteDocument, status: int
) -> None:
    loaded = replace(await serving(document("homes")), blocks=LOADED)
    call, body = call_of(*matrix([(1.0, 2.0)] * 100))
    steps = steps_of(Client(loaded).predictor.stream(Target(INFERENCE, "homes"), call), cut(body, [400, 800]))
    assert [type(next(steps)) for _ in range(3)] == [int, int, int]
    loaded.store.swap((await serving(changed)).store.snapshot, 1.0)
    *_, answer = steps
    assert isinstance(answer, tuple)
    assert answer[0] == status


async def test_body_that_is_kept_is_answered_by_the_version_at_its_end() -> None:
    loaded = replace(await serving(document("homes")), blocks=LOADED)
    body = b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP64","data":[1,2]}]}'
    call = with_fields(call_of(body, b"")[0], headers={}, fields=[])
    steps = steps_of(Client(loaded).predictor.stream(Target(INFERENCE, "homes"), call), cut(body, [20]))
    assert isinstance(next(steps), int)
    loaded.store.swap((await serving(FROZEN)).store.snapshot, 1.0)
    *_, answer = steps
    assert isinstance(answer, tuple)
    assert json.loads(answer[2])["model_version"] == "v2"


async def test_client_that_is_gone_gets_no_answer() -> None:
    call, body = call_of(*matrix([(1.0, 2.0)] * 100))
    with pytest.raises(Gone):
        await driven(call, Body(body[:500], gone=True))


async def test_others_have_their_turn_between_two_blocks() -> None:
    call, body = call_of(*matrix([(1.0, 2.0)] * 1_000))
    turns = []

    async def other() -> None:
        while True:
            turns.append(1)
            await asyncio.sleep(0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matrix_stream, "BLOCK_NUMBERS", 200)
        task = asyncio.get_running_loop().create_task(other())
        assert (await driven(call, Body(body)))[0] == 200
    task.cancel()
    assert len(turns) >= 10


async def test_few_compressed_bodies_are_computed_at_once() -> None:
    """As the budget counts what came, not what it decompresses to; the others wait, and none is refused."""
    open_now, most = 0, 0

    class Counting:
        def stream(self, _target: Target, _call: Call) -> Steps:
            nonlocal open_now, most
            yield 0
            open_now += 1
            most = max(most, open_now)
            for _ in range(5):
                yield None
            open_now -= 1
            return 200, [], b""

    app = PublicApp(cast("Predictor", Counting()), cast("PublicPages", None), absent, Limits(), Budget(1 << 20))
    statuses = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def ask(*fields: tuple[bytes, bytes]) -> None:
        body = Body(b"x" * 20_000)
        scope = {"type": "http", "path": "/v2/models/homes/infer", "method": "POST", "headers": [*fields]}
        await app({**scope, "client": None}, body, send)

    await asyncio.gather(*(ask((b"content-encoding", b"gzip")) for _ in range(20)))
    assert (most, open_now) == (COMPRESSED, 0)
    await asyncio.gather(*(ask() for _ in range(20)))
    assert (most, open_now) == (20, 0)
    assert statuses == [200] * 40
