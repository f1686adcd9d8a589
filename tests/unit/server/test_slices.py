"""Large bodies of every kind are decoded, assigned, computed and encoded in slices: none does much at once."""

import asyncio
import gzip
import json
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as with_fields

from linplane_server.http.streaming import drive, received
from linplane_server.interfaces import json_body, native_body
from linplane_server.interfaces.grpc.infer import ModelInfer
from linplane_server.interfaces.grpc.inference_pb2 import ModelInferRequest
from linplane_server.interfaces.json_answers import SLICE
from linplane_server.interfaces.mlflow import MLFLOW, MLflow
from linplane_server.interfaces.native import NATIVE, Native
from linplane_server.interfaces.v1 import V1, V1_PROTOCOL
from linplane_server.interfaces.v2.binary import binary_content
from linplane_server.interfaces.v2.encoding import PART, decompressed
from linplane_server.interfaces.v2.infer import INFERENCE, Inference
from linplane_server.interfaces.v2.matrix_stream import BLOCK_ROWS, MatrixStream
from linplane_server.interfaces.v2.tensors import DATATYPES
from linplane_server.predict import predictor
from linplane_server.predict.interface import Answer, Asked, Call, Interface, Slices, Target, finished
from linplane_server.state.blocks import Blocks
from linplane_server.state.budget import Budget, Share
from linplane_server.turns import Turns
from unit.server.builders import Client, document, serving
from unit.server.oip_grpc import message_of
from unit.server.parts import steps_of

LOADED = Blocks(lambda load: load())
LOADED()  # imports numpy

CURRENT = document("homes", split=[("v2", 0)])
BY_VALUES = document("homes", split=[("v2", 5000)])
COUNT = 20_000
ROWS: list[Any] = [[number % 7, 1.5] for number in range(COUNT)]
NAMED: list[Any] = [{"area": row[0], "rooms": row[1]} for row in ROWS[: COUNT // 2]]
MATRIX = {"name": "x", "shape": [COUNT, 2], "datatype": "FP64"}
JSON = {"content-type": "application/json"}

LARGE: dict[str, tuple[Interface, Any, dict[str, str], int]] = {
    "rows": (NATIVE, {"rows": ROWS}, JSON, 200),
    "a text in the last row": (NATIVE, {"rows": [*NAMED, {"area": "a"}]}, JSON, 422),
    "a feature that is missing": (NATIVE, {"rows": [*NAMED, {"area": 1}]}, JSON, 422),
    "the end is missing": (NATIVE, json.dumps({"rows": ROWS}).encode()[:-9], JSON, 400),
    "a key behind the rows": (NATIVE, {"rows": NAMED, "key": '"'}, JSON, 200),
    "a key with an escape": (NATIVE, {"key": '"', "rows": NAMED}, JSON, 200),
    "V1": (V1_PROTOCOL, {"id": 1, "instances": ROWS}, JSON, 200),
    "V1, true": (V1_PROTOCOL, {"instances": [*ROWS, [True, 1]]}, JSON, 200),
    "columns": (MLFLOW, {"inputs": {"area": [1] * COUNT, "rooms": [2] * COUNT}}, JSON, 200),
    "columns with a text": (MLFLOW, {"inputs": {"area": [1] * COUNT + ["a"]}}, JSON, 400),
    "CSV": (MLFLOW, b"area,rooms\n" + b"1,2\n" * COUNT, {"content-type": "text/csv"}, 200),
    "v2": (INFERENCE, {"inputs": [MATRIX | {"data": ROWS}]}, {}, 200),
    "v2, gzip": (INFERENCE, {"inputs": [MATRIX | {"data": ROWS}]}, {"content-encoding": "gzip"}, 200),
    "v2, a text": (INFERENCE, {"inputs": [MATRIX | {"data": [*ROWS[1:], ["a", 1]]}]}, {}, 400),
}


@contextmanager
def watched() -> Iterator[dict[str, list[int]]]:
    """How much is done at once, by what does it."""
    done: dict[str, list[int]] = {"rows": [0], "bytes": [0]}

    def counting(function: Callable[..., Any], kind: str, position: int) -> Callable[..., Any]:
        def count(*arguments: Any) -> Any:
            done[kind].append(len(arguments[position]))
            return function(*arguments)

        return count

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predictor, "compute_rows", counting(predictor.compute_rows, "rows", 2))
        patch.setattr(predictor, "groups_of", counting(predictor.groups_of, "rows", 1))
        for module in (json_body, native_body):
            patch.setattr(module, "_decode", counting(module._decode, "bytes", 0))
        for kind in (Native, V1, MLflow, Inference, ModelInfer):
            patch.delattr(kind, "decode")
        yield done


@pytest.mark.parametrize("document", [CURRENT, BY_VALUES], ids=["current", "split by the values"])
@pytest.mark.parametrize("name", LARGE)
async def test_large_body_is_answered_in_small_slices(name: str, document: Any) -> None:
    interface, content, headers, status = LARGE[name]
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    body = gzip.compress(body) if "content-encoding" in headers else body
    fields = [(name.encode(), value.encode()) for name, value in headers.items()]
    loaded = replace(await serving(document), blocks=LOADED)
    target, call = Target(interface, "homes"), Call("POST", fields, dict(fields), "192.0.2.1", b"")
    whole = Client(loaded).predictor.respond(target, with_fields(call, data=body))
    with watched() as done:
        *steps, answer = steps_of(Client(loaded).predictor.stream(target, call), [body])
    assert answer == whole
    assert whole[0] == status
    assert max(done["rows"]) <= 4_096
    assert max(done["bytes"]) <= json_body.DECODED
    assert steps.count(None) >= COUNT // 4_000


ROW = st.sampled_from(
    [[1.5, 2], [True, 2], {"area": 1, "rooms": 2}, {"area": 1}, {"area": 1, "b": 2}, ["a", 1], [1], 3, [1e999, 1]]
)
FORMS = [(NATIVE, "rows"), (V1_PROTOCOL, "instances"), (MLFLOW, "inputs"), (MLFLOW, "dataframe_records")]


@settings(max_examples=60)
@given(
    rows=st.lists(ROW, max_size=5),
    more=st.sampled_from([{}, {"key": "a"}, {"key": 1}, {"features": [1, 2]}, {"other": [{"a": [1]}]}]),
    form=st.sampled_from(FORMS),
    damage=st.sampled_from([b"", b"", b"x", b"]", b',"area":1', b"\xff"]),
    place=st.integers(0, 200),
)
async def test_body_that_is_too_large_to_be_decoded_at_once_is_answered_as_a_small_one(
    rows: Any, more: Any, form: Any, damage: bytes, place: int
) -> None:
    interface, field = form
    body = json.dumps({field: rows, **more}).encode()
    body = body[: place % len(body)] + damage + body[place % len(body) :]
    client = Client(await serving(CURRENT))
    answers = []
    for decoded in (json_body.DECODED, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(json_body, "DECODED", decoded)
            patch.setattr(native_body, "DECODED", decoded)
            patch.setattr(Native, "decode", lambda self, route, call: finished(self.decode_in_slices(route, call)))
            status, _, content = client.ask(body, "homes", interface=interface, content_type="application/json")
        answers.append((status, json.loads(content) | {"requestId": None}))
    assert answers[0] == answers[1]


async def test_bodies_whose_values_are_all_held_are_computed_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that wait take no turn of the loop; that of a client that is gone gives way to the next."""
    held, most, finished_ones = 0, 0, 0
    real = Native.decode_in_slices

    def decode_in_slices(self: Native, route: Any, call: Call) -> Slices[Asked]:
        nonlocal held, most, finished_ones
        if len(call.body()) < len(body):
            return (yield from real(self, route, call))
        held, most = held + 1, max(most, held + 1)
        try:
            return (yield from real(self, route, call))
        finally:
            held, finished_ones = held - 1, finished_ones + 1

    monkeypatch.setattr(Native, "decode_in_slices", decode_in_slices)
    body = json.dumps({"rows": [*ROWS, ["a", 1]]}).encode()
    predicting = Client(await serving(CURRENT)).predictor
    fields = [(b"content-type", b"application/json")]
    call = Call("POST", fields, dict(fields), "192.0.2.1", b"")
    turns, budget = Turns(), Budget(1 << 30)

    def started() -> "asyncio.Task[Answer]":
        steps = predicting.stream(Target(NATIVE, "homes"), call)
        return asyncio.create_task(drive(steps, received(body), len(body), Share(budget), turns))

    first, second, third = started(), started(), started()
    while not held:
        await asyncio.sleep(0)
    assert turns.alone.locked()
    first.cancel()
    answers = await asyncio.gather(first, second, third, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert [answer[0] for answer in answers[1:] if isinstance(answer, tuple)] == [422, 422]
    assert (most, finished_ones, turns.alone.locked()) == (1, 3, False)


# ---- gRPC ----

RAW = struct.pack(f"<{2 * COUNT}d", *(value for row in ROWS for value in row))
COLUMN = {"shape": [COUNT], "datatype": "FP32"}
COLUMNS = [COLUMN | {"name": name, "data": [row[n] for row in ROWS]} for n, name in enumerate(("area", "rooms"))]
TYPED = message_of({"inputs": [MATRIX | {"data": ROWS}]})
MESSAGES = {
    "raw": message_of({"inputs": [MATRIX | {"data": ROWS}]}, raw=True),
    "typed": TYPED,
    "raw columns": message_of({"inputs": COLUMNS}, raw=True),
    "typed columns": message_of({"inputs": COLUMNS}),
}


def asked_of(message: ModelInferRequest, loaded: Any) -> tuple[Any, Target, Call]:
    """A predictor, and what it is asked by a call."""
    call = Call("POST", [], {}, "192.0.2.1", b"")
    return Client(loaded).predictor, Target(ModelInfer(message), "homes"), call


@pytest.mark.parametrize("document", [CURRENT, BY_VALUES], ids=["current", "split by the values"])
@pytest.mark.parametrize("name", MESSAGES)
async def test_large_message_of_grpc_is_answered_in_small_slices(name: str, document: Any) -> None:
    loaded = replace(await serving(document), blocks=LOADED)
    predicting, target, call = asked_of(MESSAGES[name], loaded)
    whole = predicting.respond(target, call)
    predicting, target, call = asked_of(MESSAGES[name], loaded)
    with watched() as done:
        *steps, answer = steps_of(predicting.stream(target, call), [])
    assert answer == whole
    assert whole[0] == 200
    assert max(done["rows"]) <= 4_096
    assert steps.count(None) >= COUNT // 4_000


@settings(max_examples=60)
@given(
    raw=st.booleans(),
    columns=st.booleans(),
    datatype=st.sampled_from(["FP64", "FP32", "INT8", "UINT64", "BOOL"]),
    numbers=st.lists(st.sampled_from([0, 1]), max_size=12),
    rows=st.integers(0, 6),
    wrong=st.sampled_from([None, "shape", "name", "datatype", "contents", "nan"]),
)
async def test_answer_to_a_message_in_slices_is_that_to_the_whole(
    raw: bool, columns: bool, datatype: str, numbers: list[Any], rows: int, wrong: str | None
) -> None:
    values = [bool(value) if datatype == "BOOL" else float(value) if "FP" in datatype else value for value in numbers]
    if columns:
        tensors = [{"name": name, "shape": [rows], "datatype": datatype, "data": values} for name in ("area", "rooms")]
    else:
        tensors = [{"name": "x", "shape": [rows, 2], "datatype": datatype, "data": values}]
    message = message_of({"inputs": tensors}, raw=raw)
    if wrong == "name":
        message.inputs[-1].name = "y"
    elif wrong == "datatype":
        message.inputs[-1].datatype = "FP16"
    elif wrong == "contents":
        message.inputs[0].contents.bytes_contents.append(b"")
    elif wrong == "nan" and datatype == "FP64":
        message.inputs[0].contents.fp64_contents.append(float("nan"))
    loaded = replace(await serving(BY_VALUES), blocks=LOADED)
    predicting, target, call = asked_of(message, loaded)
    whole = predicting.respond(target, call)
    predicting, target, call = asked_of(message, loaded)
    *_, answer = steps_of(predicting.stream(target, call), [])
    assert answer == whole


# ---- parts ----


def test_body_is_decompressed_in_parts() -> None:
    body = b"abcd" * (4 * PART)
    parts: list[None] = []
    assert finished(_counted(decompressed(gzip.compress(body), b"gzip", len(body)), parts)) == body
    assert len(parts) >= len(body) // PART


def test_block_of_a_narrow_matrix_has_a_bounded_number_of_rows() -> None:
    stream = MatrixStream(Asked((), str), DATATYPES["INT8"], 1, 1 << 20)
    blocks = [len(rows) for rows in stream.feed(bytes(1 << 20))]
    assert blocks == [BLOCK_ROWS] * ((1 << 20) // BLOCK_ROWS)


def test_binary_answer_is_made_in_parts() -> None:
    values = [1.5] * (20 * SLICE)
    parts = binary_content(b"{}", values)
    assert not isinstance(parts, bytes)
    found = list(parts)
    assert len(found) > 2
    assert b"".join(found) == b"{}" + struct.pack(f"<{len(values)}d", *values)


def _counted(work: Slices[bytes], slices: list[None]) -> Slices[bytes]:
    """The same work; each slice is noted."""
    try:
        while True:
            slices.append(next(work))
            yield
    except StopIteration as done:
        found: bytes = done.value
        return found
