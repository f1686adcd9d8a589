"""Damaged requests of KServe V1 and MLflow: each is refused as the protocol says, and repeats no value."""

import copy
import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from linplane_server.interfaces.mlflow import MLFLOW
from linplane_server.interfaces.v1 import V1_PROTOCOL
from linplane_server.predict.interface import Interface
from support import sized
from unit.server.builders import V1, V2, Client, document, serving
from unit.server.damage import CANARY, NUMBER, damage_bytes, damage_json

ROW = {"area": NUMBER, "rooms": 2}
V1_BODIES: list[dict[str, Any]] = [
    {"instances": [[NUMBER, 2], [3, 4]], "key": CANARY},
    {"inputs": [ROW, {"rooms": True, "area": 1}], "signature_name": CANARY},
]
MLFLOW_BODIES: list[dict[str, Any]] = [
    {
        "dataframe_split": {
            "columns": ["rooms", "area", "note"],
            "index": [0, 1],
            "data": [[1, NUMBER, CANARY], [2, 3, None]],
        }
    },
    {"dataframe_records": [ROW, {**ROW, "note": CANARY}], "params": {"key": CANARY}},
    {"instances": [ROW], "params": None},
    {"inputs": {"area": [NUMBER, 1], "rooms": [2, False], "note": [CANARY, 1]}},
    {"inputs": {"area": NUMBER, "rooms": 2}},
]
TABLE = f'"","area",rooms,note\r\n0,{NUMBER},2,"{CANARY}, ""a"""\r\n1,3,4e-2,\r\n'.encode()

Damaged = Callable[[random.Random], tuple[bytes, str]]
"""Makes a body and its content type."""


def damaged_json(bodies: list[dict[str, Any]]) -> Damaged:
    def damaged(chance: random.Random) -> tuple[bytes, str]:
        body = copy.deepcopy(chance.choice(bodies))
        for _ in range(chance.randrange(1, 4)):
            damage_json(body, chance)
        data = json.dumps(body).encode()
        return damage_bytes(data, chance) if chance.randrange(4) == 0 else data, "application/json"

    return damaged


def damaged_csv(chance: random.Random) -> tuple[bytes, str]:
    data = TABLE
    for _ in range(chance.randrange(1, 3)):
        data = damage_bytes(data, chance)
    return data, "text/csv"


CASES: dict[str, tuple[Interface, Damaged]] = {
    "v1": (V1_PROTOCOL, damaged_json(V1_BODIES)),
    "mlflow": (MLFLOW, damaged_json(MLFLOW_BODIES)),
    "mlflow, csv": (MLFLOW, damaged_csv),
}


@sized("count", short=10_000, full=100_000)
@pytest.mark.parametrize("case", CASES)
async def test_damaged_request_is_answered_without_an_error_of_the_server(case: str, count: int) -> None:
    interface, damaged = CASES[case]
    client = Client(await serving(document(versions={"v1": V1, "v2": V2}, split=[("v2", 5000)])))
    chance = random.Random(count)
    seen = {200: 0, 400: 0}
    for _ in range(count):
        data, kind = damaged(chance)
        status, _, content = client.ask(data, "homes", interface=interface, content_type=kind)
        seen[status] += 1
        if status != 200:
            message = json.loads(content)["error" if interface is V1_PROTOCOL else "message"]
            shown = message.replace(f"unknown feature {CANARY}", "")  # the one text that a client reads back
            assert CANARY not in shown, data
            assert str(int(NUMBER)) not in shown, data
    assert all(number > count / 100 for number in seen.values()), seen
