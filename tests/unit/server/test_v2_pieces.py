"""Large requests of the Open Inference Protocol in pieces: the same answer as to the whole, in little memory."""

import gzip
import json
import random
import struct
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as with_fields

from linplane_server.interfaces.v2 import pieces
from linplane_server.interfaces.v2.encoding import compressed
from linplane_server.interfaces.v2.infer import Inference
from linplane_server.interfaces.v2.tensors import DATATYPES
from linplane_server.predict.interface import Asked, Call, Target
from linplane_server.predict.parts import WHOLE_BYTES
from linplane_server.settings import Limits
from linplane_server.state.blocks import Blocks
from linplane_server.state.snapshot import Route
from unit.server.builders import Client, document, serving
from unit.server.parts import steps_of
from unit.server.wire import Wire

LOADED = Blocks(lambda load: load())
LOADED()  # imports numpy

SPLIT = document("homes", split=[("v2", 5000)])
NO_ORDER = document("homes", versions={"v1": {"area": 2.0, "rooms": 10.0}, "v2": {"rooms": 1.0}}, split=[("v2", 1)])
NUMBERS = st.integers(0, 99) | st.sampled_from([0.5, 1e3, 2.0, -3, 1e39, 1e308, 2**64, 12345678901234567890])
ODD = st.sampled_from([None, True, "x", "],[", [1], [], {"data": [1]}, -1])
NAMES = st.sampled_from([["area", "rooms"], ["rooms", "area"], ["area"], ["area"] * 2])
SPACES = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " : ")])
KEYS = st.sampled_from([{}, {"parameters": {"key": "a"}}, {"parameters": {"key": "b", "data": [1, 2]}}, {"data": [7]}])


class Counting(Inference):
    """Counts the bodies that are decoded as a whole."""

    def __init__(self) -> None:
        self.decoded = 0

    def decode(self, route: Route, call: Call) -> Asked:
        self.decoded += 1
        return super().decode(route, call)


async def both(body: bytes, doc: Any = SPLIT, version: str | None = "v2", **headers: str) -> tuple[Any, Any, int]:
    """The answers to a body in pieces and as a whole, and how often it was decoded as a whole for the first."""
    loaded = replace(await serving(doc), blocks=LOADED)
    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    interface = Counting()
    target, call = Target(interface, "homes", version), Call("POST", fields, dict(fields), "192.0.2.1", b"")
    *_, in_pieces = steps_of(Client(loaded).predictor.stream(target, call), [body])
    decoded = interface.decoded
    return in_pieces, Client(loaded).predictor.respond(target, with_fields(call, data=body)), decoded


@st.composite
def requests(draw: st.DrawFn) -> Any:
    """A request in JSON, often with something wrong."""
    datatype = draw(st.sampled_from(["FP64", "FP64", "FP32", "INT8", "UINT64", "BOOL"]))
    count = draw(st.integers(0, 12))
    rows: list[Any] = draw(st.lists(st.lists(NUMBERS, min_size=2, max_size=2), min_size=count, max_size=count))
    shape = [count + draw(st.sampled_from([0, 0, 0, 1])), 2]
    if draw(st.booleans()):
        data = draw(st.sampled_from([rows, [value for row in rows for value in row]]))
        inputs = [{"name": "x", "shape": shape, "datatype": datatype, "data": data}]
    else:
        nested = draw(st.booleans())
        inputs = [
            {
                "name": name,
                "datatype": datatype,
                "shape": [shape[0], 1] if nested else shape[:1],
                "data": [[row[number]] if nested else row[number] for row in rows],
            }
            for number, name in enumerate(
                draw(st.sampled_from([["area", "rooms"], ["rooms", "area"], ["area"], ["area"] * 2]))
            )
        ]
    if rows and draw(st.integers(0, 3)) == 0:
        data = inputs[-1]["data"]
        data[draw(st.integers(0, len(data) - 1))] = draw(ODD)
    if draw(st.booleans()):
        inputs = [dict(reversed(tensor.items())) for tensor in inputs]
    request = {"id": '"data":[', "inputs": inputs, "x": '\\"data":[1', **draw(KEYS)}
    return dict(reversed(request.items())) if draw(st.booleans()) else request


@settings(max_examples=100)
@given(
    request=requests(),
    spaces=SPACES,
    damage=st.sampled_from([b"", b"", b"", b"x", b"]", b"[", b",", b'"', b'"data":[1],']),
    doc=st.sampled_from([SPLIT, NO_ORDER]),
    version=st.sampled_from(["v2", None]),
    piece=st.sampled_from([2, 9]),
    shuffle=st.randoms(),
)
async def test_answer_to_tensors_in_pieces_is_that_to_the_whole(
    request: Any, spaces: tuple[str, str], damage: bytes, doc: Any, version: Any, piece: int, shuffle: random.Random
) -> None:
    body = json.dumps(request, separators=spaces).encode()
    place = shuffle.randrange(len(body))
    body = body[:place] + damage + body[place:]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "PIECE", piece)
        patch.setattr(pieces, "WINDOW", 3)
        patch.setattr(pieces, "BLOCK_NUMBERS", 3)
        patch.setattr(pieces, "BLOCK_ROWS", 2)
        in_pieces, whole, _ = await both(body, doc, version)
    assert in_pieces == whole


ROWS = [[number / 8, number % 7] for number in range(9_000)]
MATRIX = {"name": "x", "shape": [9_000, 2], "datatype": "FP64"}
COLUMN = {"shape": [9_000], "datatype": "FP32"}
LARGE: dict[str, dict[str, Any]] = {
    "nested": {"inputs": [MATRIX | {"data": ROWS}]},
    "flat": {"inputs": [MATRIX | {"data": [value for row in ROWS for value in row]}]},
    "columns": {
        "inputs": [
            {"data": [row[n] for row in ROWS], **COLUMN, "name": name} for n, name in enumerate(("area", "rooms"))
        ],
        "parameters": {"key": "a"},
    },
}


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("coding", [None, "gzip"])
async def test_large_request_is_not_decoded_as_a_whole(name: str, indent: int | None, coding: str | None) -> None:
    body = json.dumps(LARGE[name], indent=indent).encode()
    headers = {} if coding is None else {"content_encoding": coding, "accept_encoding": coding}
    if coding is not None:
        body = b"".join(compressed(body, coding.encode()))
    in_pieces, whole, decoded = await both(body, **headers)
    assert in_pieces == whole
    assert in_pieces[0] == 200
    assert decoded == 0


@pytest.mark.parametrize("datatype", ["INT8", "FP32", "BOOL"])
async def test_large_binary_columns_are_not_decoded_as_a_whole(datatype: str) -> None:
    count = 40_000
    raw = struct.pack(f"<{count}{DATATYPES[datatype].code}", *(number % 2 for number in range(count)))
    tensor = {"shape": [count], "datatype": datatype, "parameters": {"binary_data_size": len(raw)}}
    text = json.dumps({"inputs": [tensor | {"name": name} for name in ("rooms", "area")]}).encode()
    headers = {"inference_header_content_length": str(len(text))}
    in_pieces, whole, decoded = await both(text + raw * 2, **headers)
    assert in_pieces == whole
    assert in_pieces[0] == 200
    assert decoded == 0


@pytest.mark.parametrize("number", [0, 4_000, 8_999])
async def test_row_of_a_large_request_that_is_wrong_is_named(number: int) -> None:
    rows = [[1.0, 2.0]] * 9_000
    rows[number] = [1e308, 1e308]
    body = json.dumps({"inputs": [MATRIX | {"data": rows}]}).encode()
    in_pieces, whole, _ = await both(body)
    assert in_pieces == whole
    assert f"row {number}: " in whole[2].decode()


async def test_small_body_that_is_compressed_is_not_decoded_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Inference, "decode")
    text = json.dumps({"inputs": [MATRIX | {"data": [1] * 18_000}]}).encode()
    body = gzip.compress(text)
    assert len(body) < WHOLE_BYTES < len(text)
    wire = Wire(await serving(document("homes")), fast=True, limits=Limits())
    request = b"POST /v2/models/homes/infer HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    assert (await wire.send(request % len(body) + body)).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("name", [b"data", b"d\\u0061ta"])
@pytest.mark.parametrize("other", [b'"data"', b'"d\\u0061ta"'])
async def test_escaped_name_takes_no_other_array_for_the_data(name: bytes, other: bytes) -> None:
    """Which would be answered with predictions for it."""
    tensor = b'{"name":"x","shape":[2,2],"datatype":"FP64","%b":[0]}' % name
    body = b'{"inputs":[%b],"parameters":{%b:[5,6,7,8]}}' % (tensor, other)
    in_pieces, whole, _ = await both(body)
    assert in_pieces == whole
