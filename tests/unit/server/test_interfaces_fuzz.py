"""Damaged requests of /predict, KServe V1 and MLflow: each is refused as the protocol says, repeats no value, and is
forgotten.
"""

import copy
import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from linplane_server.interfaces.mlflow import MLFLOW
from linplane_server.interfaces.native import NATIVE
from linplane_server.interfaces.v1 import V1_PROTOCOL
from linplane_server.predict.interface import Interface
from support import sized
from unit.server.builders import V1, V2, Client, document, serving
from unit.server.damage import CANARY, NUMBER, damage_bytes, damage_json, in_flat_memory

ROW = {"area": NUMBER, "rooms": 2}
NATIVE_BODIES: list[dict[str, Any]] = [
    {"features": ROW, "key": CANARY},
    {"features": [NUMBER, True]},
    {"rows": [ROW, [NUMBER, 1], {"rooms": False, "area": 1}], "key": CANARY},
]
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

UNKNOWN = re.compile(rb'unknown feature (?:[^"\\]|\\.)*?(?=; the route takes |; send only |")')
"""The one text that a client reads back: a name, which may be a damaged one."""

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


@dataclass(frozen=True)
class Case:
    """An interface, its damaged bodies, the member of a refusal that says why, and every status of answers."""

    interface: Interface
    damaged: Damaged
    reason: str
    statuses: frozenset[int] = frozenset({200, 400})


CASES = {
    "predict": Case(NATIVE, damaged_json(NATIVE_BODIES), "detail", frozenset({200, 400, 422})),
    "v1": Case(V1_PROTOCOL, damaged_json(V1_BODIES), "error"),
    "mlflow": Case(MLFLOW, damaged_json(MLFLOW_BODIES), "message"),
    "mlflow, csv": Case(MLFLOW, damaged_csv, "message"),
}


@sized("count", short=10_000, full=100_000)
@pytest.mark.parametrize("case", CASES)
async def test_damaged_request_is_answered_without_an_error_of_the_server(case: str, count: int) -> None:
    asked = CASES[case]
    client = Client(await serving(document(versions={"v1": V1, "v2": V2}, split=[("v2", 5000)])))
    chance = random.Random(count)
    seen = dict.fromkeys(asked.statuses, 0)
    for _ in in_flat_memory(count):
        data, kind = asked.damaged(chance)
        status, _, content = client.ask(data, "homes", interface=asked.interface, content_type=kind)
        seen[status] += 1
        if status != 200:
            assert json.loads(content)[asked.reason]
            shown = UNKNOWN.sub(b"", content)
            assert CANARY.encode() not in shown, data
            assert str(int(NUMBER)).encode() not in shown, data
    assert all(number > count / 100 for number in seen.values()), seen
