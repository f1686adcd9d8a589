"""Binary tensors of the inference call: what is accepted, the status of everything else, and binary outputs."""

import json
import struct
from typing import Any

import pytest

from unit.server.builders import Client, document, serving
from unit.server.oip import ANSWER, AREA, IN_BINARY, LENGTH, RAW, ROWS, binary, data_of, infer, packed


@pytest.fixture
async def client() -> Client:
    return Client(await serving(document()))


def sized(size: Any) -> dict[str, Any]:
    return {"inputs": [IN_BINARY | {"parameters": {"binary_data_size": size}}]}


BINARY: dict[str, tuple[Any, bytes, dict[str, str], int]] = {
    "binary": ({"inputs": [IN_BINARY]}, RAW, {}, 200),
    "two tensors, in their order": (
        {"inputs": [binary(packed([2, 0]), [2], "area"), binary(packed([3, 0], "INT8"), [2, 1], "rooms", "INT8")]},
        packed([2, 0]) + packed([3, 0], "INT8"),
        {},
        200,
    ),
    "binary and JSON tensors": (
        {"inputs": [AREA, binary(packed([3, 0]), [2], "rooms")]},
        packed([3, 0]),
        {},
        200,
    ),
    "length without binary tensors": ({"inputs": [ROWS]}, b"", {}, 200),
    "length of JSON over the body": ({"inputs": [IN_BINARY]}, RAW, {LENGTH: "5000"}, 400),
    "length 0": ({"inputs": [IN_BINARY]}, RAW, {LENGTH: "0"}, 400),
    "length negative": ({"inputs": [IN_BINARY]}, RAW, {LENGTH: "-1"}, 400),
    "length of many digits": ({"inputs": [IN_BINARY]}, RAW, {LENGTH: "9" * 5000}, 400),
    "length not a number": ({"inputs": [IN_BINARY]}, RAW, {LENGTH: "ten"}, 400),
    "short body": ({"inputs": [IN_BINARY]}, RAW[:-1], {}, 400),
    "long body": ({"inputs": [IN_BINARY]}, RAW + b"x", {}, 400),
    "size not matching the shape": ({"inputs": [binary(RAW, [3, 2])]}, RAW, {}, 400),
    "size not matching the datatype": ({"inputs": [binary(RAW, [2, 2], datatype="FP32")]}, RAW, {}, 400),
    "size negative": (sized(-32), RAW, {}, 400),
    "size a text": (sized("32"), RAW, {}, 400),
    "size a boolean": (sized(True), RAW, {}, 400),
    "both data and binary": ({"inputs": [ROWS | {"parameters": {"binary_data_size": 32}}]}, RAW, {}, 400),
    "neither data nor binary": ({"inputs": [IN_BINARY | {"parameters": {}}]}, b"", {}, 400),
    "NaN": ({"inputs": [IN_BINARY]}, packed([float("nan"), 0, 0, 0]), {}, 400),
    "infinity": ({"inputs": [IN_BINARY]}, packed([float("-inf"), 0, 0, 0]), {}, 400),
    "infinity in FP16": (
        {"inputs": [binary(bytes(8), [2, 2], datatype="FP16")]},
        packed([float("inf"), 0, 0, 0], "FP16"),
        {},
        400,
    ),
    "BOOL of another byte": ({"inputs": [binary(b"\0\1\2\0", [2, 2], datatype="BOOL")]}, b"\0\1\2\0", {}, 400),
    "BYTES": ({"inputs": [binary(RAW, [2, 2], datatype="BYTES")]}, RAW, {}, 400),
    "no rows": ({"inputs": [binary(b"", [0, 2])]}, b"", {}, 200),
    "shape past 2^64": ({"inputs": [binary(RAW, [2**63, 2])]}, RAW, {}, 400),
}


@pytest.mark.parametrize(("body", "raw", "headers", "expected"), BINARY.values(), ids=BINARY)
def test_infer_status_of_each_kind_of_binary_body(
    client: Client, body: Any, raw: bytes, headers: dict[str, str], expected: int
) -> None:
    status, _, answer = infer(client, body, raw, **headers)
    assert status == expected
    if status == 200:
        assert data_of(answer) == ANSWER or answer["outputs"][0]["shape"] == [0, 1]


def test_infer_refuses_binary_data_without_the_length_of_the_json(client: Client) -> None:
    assert infer(client, {"inputs": [IN_BINARY]})[0] == 400
    assert infer(client, json.dumps({"inputs": [IN_BINARY]}).encode() + RAW)[0] == 400


REQUEST = {"binary_data_output": True}
WANTS = [
    (None, None, False),
    (REQUEST, None, True),
    ({"binary_data_output": False}, None, False),
    (REQUEST, {}, True),
    (REQUEST, {"binary_data": False}, False),
    (None, {"binary_data": True}, True),
    ({"binary_data_output": False}, {"binary_data": True}, True),
]


@pytest.mark.parametrize("raw", [None, RAW], ids=["JSON in", "binary in"])
@pytest.mark.parametrize(("of_request", "of_output", "binary_out"), WANTS)
def test_infer_answers_in_binary_if_requested(
    client: Client, raw: bytes | None, of_request: Any, of_output: Any, binary_out: bool
) -> None:
    body: dict[str, Any] = {"inputs": [IN_BINARY if raw else ROWS], "id": "7"}
    body |= {} if of_request is None else {"parameters": of_request}
    body |= {} if of_output is None else {"outputs": [{"name": "prediction", "parameters": of_output}]}
    status, headers, answer = infer(client, body, raw)
    output = answer["outputs"][0]
    assert (status, answer["id"], "inference-header-content-length" in headers) == (200, "7", binary_out)
    if binary_out:
        assert output["parameters"] == {"binary_data_size": 16}
        assert "data" not in output
        assert list(struct.unpack("<2d", answer["raw"])) == ANSWER
    else:
        assert output["data"] == ANSWER
