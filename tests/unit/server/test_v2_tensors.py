"""Tensors of every datatype, as JSON and in binary: the numbers that came are the numbers that were sent."""

import contextlib
import json
import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_server.errors import Invalid
from linplane_server.interfaces.v2.binary import binary_values, raw_places, split_body, to_binary
from linplane_server.interfaces.v2.messages import InputTensor
from linplane_server.interfaces.v2.tensors import DATATYPES, json_values
from unit.server.builders import Client, document, serving
from unit.server.oip import FORMS, binary, infer, packed, tensor

BITS = {"UINT8": 8, "UINT16": 16, "UINT32": 32, "UINT64": 64, "INT8": 8, "INT16": 16, "INT32": 32, "INT64": 64}


def elements(datatype: str) -> st.SearchStrategy[Any]:
    """Every value of a datatype."""
    if datatype == "BOOL":
        return st.booleans()
    if datatype.startswith("FP"):
        return st.floats(allow_nan=False, allow_infinity=False, width=int(datatype[2:]))
    bits = BITS[datatype]
    return st.integers(0, 2**bits - 1) if datatype[0] == "U" else st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


@st.composite
def tensors(draw: st.DrawFn, width: int | None = None) -> tuple[str, int, int, list[Any]]:
    """A datatype, rows, columns, and the values."""
    datatype = draw(st.sampled_from(sorted(FORMS)))
    rows, columns = draw(st.integers(0, 4)), width or draw(st.integers(1, 3))
    values = draw(st.lists(elements(datatype), min_size=rows * columns, max_size=rows * columns))
    return datatype, rows, columns, values


def test_datatypes_are_those_of_the_protocol() -> None:
    assert set(DATATYPES) == set(FORMS)
    assert {name: one.size for name, one in DATATYPES.items()} == {
        n: struct.calcsize("<" + c) for n, c in FORMS.items()
    }


@given(tensors())
def test_binary_tensor_reads_back(drawn: tuple[str, int, int, list[Any]]) -> None:
    datatype, rows, columns, values = drawn
    raw = packed(values, datatype)
    body = b"{}" + raw
    _, rest = split_body(body, b"2")
    parameters = {"binary_data_size": len(raw)}
    assert rest is not None
    (found,) = raw_places([InputTensor("x", [rows, columns], datatype, parameters)], len(rest))
    assert found is not None
    read = binary_values(rest[found], rows * columns, datatype, DATATYPES[datatype], "")
    assert read == [float(value) for value in values]
    assert set(map(type, read)) <= {float}


@given(tensors(), st.booleans())
def test_json_tensor_reads_back(drawn: tuple[str, int, int, list[Any]], nested: bool) -> None:
    datatype, rows, columns, values = drawn
    data: list[Any] = [values[i * columns : (i + 1) * columns] for i in range(rows)] if nested else values
    if datatype == "FP16":
        with pytest.raises(Invalid, match="binary"):
            json_values(data, [rows, columns], datatype, "")
        return
    read = json_values(data, [rows, columns], datatype, "")
    assert read == [float(value) for value in values]
    assert set(map(type, read)) <= {float}


@given(st.floats(-1e38, 1e38))
def test_fp32_value_of_json_is_rounded_as_in_binary(value: float) -> None:
    (rounded,) = struct.unpack("<f", struct.pack("<f", value))
    assert json_values([value], [1], "FP32", "") == [rounded]


@pytest.mark.parametrize("datatype", BITS)
def test_integer_out_of_range_is_refused(datatype: str) -> None:
    low, high = DATATYPES[datatype].bounds or (0, 0)
    assert json_values([low, high], [2], datatype, "") == [float(low), float(high)]
    for value in (low - 1, high + 1):
        with pytest.raises(Invalid):
            json_values([value], [1], datatype, "")


anything = st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.just(-(10**310))


@given(st.lists(anything, max_size=4), st.sampled_from(sorted(FORMS)))
def test_values_of_json_are_numbers_of_the_datatype_or_refused(data: list[Any], datatype: str) -> None:
    with contextlib.suppress(Invalid):
        read = json_values(data, [len(data)], datatype, "")
        assert set(map(type, read)) <= {float}
        assert all(map(math.isfinite, read))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_output_in_binary_reads_back(values: list[float]) -> None:
    assert list(struct.unpack(f"<{len(values)}d", to_binary(values))) == values


@given(tensors(width=2))
async def test_tensor_gets_the_prediction_of_the_native_interface(drawn: tuple[str, int, int, list[Any]]) -> None:
    datatype, rows, columns, values = drawn
    client = Client(await serving(document()))
    plain = [[float(v) for v in values[i * 2 : i * 2 + 2]] for i in range(rows)]
    raw = packed(values, datatype)
    answers = [infer(client, {"inputs": [binary(raw, [rows, columns], datatype=datatype)]}, raw)]
    if datatype != "FP16":
        answers.append(infer(client, {"inputs": [tensor(values, [rows, columns], datatype=datatype)]}))
    status, _, content = client.ask(json.dumps({"rows": plain}).encode(), "homes")
    for answer in answers:
        if rows:
            assert answer[0] == (200 if status == 200 else 400)
        if answer[0] == 200:
            expected = json.loads(content)["predictions"] if rows else []
            assert answer[2]["outputs"][0]["data"] == expected
