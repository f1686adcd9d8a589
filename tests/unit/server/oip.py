"""Requests and schemas of the Open Inference Protocol v2, for tests."""

import json
import struct
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from linplane_server.interfaces.v2.infer import INFERENCE
from unit.server.builders import Client

ROOT = Path(__file__).parents[3]
SPECIFICATION = json.loads((ROOT / "tests/data/schemas/open-inference-protocol-2.0-rest.json").read_text("utf-8"))
LENGTH = "inference_header_content_length"
FORMS = {
    "BOOL": "?",
    "UINT8": "B",
    "UINT16": "H",
    "UINT32": "I",
    "UINT64": "Q",
    "INT8": "b",
    "INT16": "h",
    "INT32": "i",
    "INT64": "q",
    "FP16": "e",
    "FP32": "f",
    "FP64": "d",
}
"""Each datatype with its code of `struct`."""


@cache
def validator(name: str) -> jsonschema.Draft202012Validator:
    """The validator of one schema of the specification."""
    return jsonschema.Draft202012Validator(SPECIFICATION["components"]["schemas"][name] | SPECIFICATION)


def tensor(data: Any, shape: Sequence[int], name: str = "x", datatype: str = "FP64", **more: Any) -> dict[str, Any]:
    """A tensor with its data as JSON."""
    return {"name": name, "shape": list(shape), "datatype": datatype, "data": data, **more}


def packed(values: Sequence[float], datatype: str = "FP64") -> bytes:
    """The binary form of a tensor."""
    return struct.pack(f"<{len(values)}{FORMS[datatype]}", *values)


def binary(raw: bytes, shape: Sequence[int], name: str = "x", datatype: str = "FP64") -> dict[str, Any]:
    """A tensor whose data `raw` follows the JSON."""
    return {"name": name, "shape": list(shape), "datatype": datatype, "parameters": {"binary_data_size": len(raw)}}


def infer(client: Client, body: Any, raw: bytes | None = None, **options: Any) -> tuple[int, dict[str, str], Any]:
    """Sends a request to the route `homes`; `raw` are the tensors after the JSON. Checks the answer by the
    specification, and returns status, headers and JSON; the bytes after that are in its `raw`.
    """
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    if raw is not None:
        options = {LENGTH: str(len(data)), **options}
        data += raw
    status, headers, content = client.ask(data, options.pop("route", "homes"), interface=INFERENCE, **options)
    return status, headers, checked(status, headers, content)


def checked(status: int, headers: dict[str, str], content: bytes) -> Any:
    """The JSON of an answer, which follows the specification."""
    assert headers["content-length"] == str(len(content))
    length = headers.get("inference-header-content-length")
    if length is None:
        assert headers["content-type"] == "application/json"
        answer = json.loads(content)
        validator("inference_response" if status == 200 else "inference_error_response").validate(answer)
        assert status == 200 or list(answer) == ["error"]
        return answer
    assert headers["content-type"] == "application/octet-stream"
    answer = json.loads(content[: int(length)])
    outputs = [{"data": [], **output} for output in answer["outputs"]]  # the extension leaves it out
    validator("inference_response").validate({**answer, "outputs": outputs})
    return {**answer, "raw": content[int(length) :]}


ROWS = tensor([[2, 3], [0, 0]], [2, 2])
AREA = tensor([2, 0], [2], "area")
ROOMS = tensor([[3], [0]], [2, 1], "rooms")
"""Two rows of the route `homes`, as a matrix and by feature."""

ANSWER = [35.0, 1.0]
"""Their predictions by v1."""

RAW = packed([2, 3, 0, 0])
IN_BINARY = binary(RAW, [2, 2])
"""The matrix, and its tensor, whose values follow the JSON."""


def data_of(answer: Any) -> list[float]:
    """The values of the output."""
    data: list[float] = answer["outputs"][0]["data"]
    return data
