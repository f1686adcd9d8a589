"""Damaged requests of the Open Inference Protocol v2: each is refused as the protocol says, repeats no value, and is
forgotten.
"""

import copy
import json
import random
from typing import Any

import pytest

from support import sized
from unit.server.builders import Client, document, serving
from unit.server.damage import CANARY, NUMBER, damage_bytes, damage_json, in_flat_memory
from unit.server.oip import binary, infer, packed, tensor

RAW = packed([NUMBER, 1, 2, 3])
IDENTITY = {"id": "i-1", "parameters": {"key": CANARY, "other": CANARY}}
Request = tuple[dict[str, Any], bytes]
JSON: list[Request] = [
    ({**IDENTITY, "inputs": [tensor([[NUMBER, 2], [3, 4]], [2, 2])]}, b""),
    ({"inputs": [tensor([NUMBER], [1], "area"), tensor([[1]], [1, 1], "rooms", "INT8")], "outputs": []}, b""),
    ({"inputs": [tensor([1.0, 2.0, 3.0], [3], "area", "INT64"), tensor([4.0, 5.0, 6.0], [3], "rooms", "UINT8")]}, b""),
    ({"inputs": [tensor([True, False], [1, 2], datatype="BOOL")], "outputs": [{"name": "prediction"}]}, b""),
    ({"inputs": [tensor([[NUMBER, 2]], [1, 2])], "parameters": {"binary_data_output": True}}, b""),
]
BINARY: list[Request] = [
    ({"inputs": [binary(RAW, [2, 2])], "parameters": {"binary_data_output": True}}, RAW),
    ({"inputs": [binary(RAW, [4, 1], "area"), tensor([1, 2, 3, 4], [4], "rooms", "UINT64")], "id": None}, RAW),
]
REQUESTS = {"json": JSON, "binary": BINARY}


def damaged(chance: random.Random, requests: list[Request]) -> tuple[bytes, bytes | None, dict[str, str]]:
    """A damaged request: its JSON, what follows it, and headers."""
    body, raw = copy.deepcopy(chance.choice(requests))
    for _ in range(chance.randrange(1, 4)):
        damage_json(body, chance)
    data = json.dumps(body).encode()
    headers = {}
    kind = chance.randrange(8)
    if kind < 2:
        data = damage_bytes(data, chance)
    elif kind == 2:
        raw = damage_bytes(raw, chance)
    elif kind == 3:
        headers["inference_header_content_length"] = chance.choice(["", "0", "7", CANARY, str(len(data) + 1)])
    elif kind == 4:
        headers["content_encoding"] = chance.choice(["gzip", "deflate", CANARY])
    return data, raw or None, headers


@sized("count", short=10_000, full=100_000)
@pytest.mark.parametrize("form", REQUESTS)
async def test_damaged_request_is_answered_without_an_error_of_the_server(form: str, count: int) -> None:
    versions = {"v1": {"area": 2.0, "rooms": 10.0}, "v2": {"area": 3.0, "rooms": 1.0}}
    client = Client(await serving(document(versions=versions, split=[("v2", 5000)])))
    chance = random.Random(count)
    seen: dict[int, int] = {}
    for _ in in_flat_memory(count):
        data, raw, headers = damaged(chance, REQUESTS[form])
        status, _, answer = infer(client, data, raw, **headers)
        seen[status] = seen.get(status, 0) + 1
        assert status in (200, 400, 415), data
        if status != 200:
            text = answer["error"].replace(f"{CANARY} is not a feature", "")  # the one text that a client reads back
            assert CANARY not in text, data
            assert str(int(NUMBER)) not in text, data
    assert all(seen[status] > count / 200 for status in (200, 400, 415)), seen
