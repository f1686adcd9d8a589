"""What MLflow's own client sent to MLflow's own server, sent to this one: the same statuses, numbers and codes."""

import json
from pathlib import Path
from typing import Any

import pytest

from unit.server.builders import document, serving
from unit.server.wire import Wire

RECORDED = json.loads((Path(__file__).parents[2] / "data/mlflow/exchanges.json").read_text("utf-8"))["exchanges"]
EXCHANGES: dict[str, dict[str, Any]] = {exchange["name"]: exchange for exchange in RECORDED}


def test_exchanges_are_of_every_call() -> None:
    assert len(EXCHANGES) == len(RECORDED)
    assert {one["request"].split(" ")[1] for one in RECORDED} == {"/ping", "/version", "/invocations"}
    assert {one["status"] for one in RECORDED} == {200, 400, 415}


@pytest.mark.parametrize("fast", [True, False], ids=["fast path", "application"])
@pytest.mark.parametrize("name", EXCHANGES)
async def test_exchange_has_the_status_and_the_numbers_of_mlflow(name: str, fast: bool) -> None:
    recorded = EXCHANGES[name]
    wire = Wire(await serving(document(split=[("v2", 0)])), fast)
    received = await wire.send(recorded["request"].encode())
    head, _, content = received.decode().partition("\r\n\r\n")
    assert int(head.split(" ")[1]) == recorded["status"]
    if "/invocations" not in recorded["request"]:
        return
    answer = json.loads(content)
    if recorded["status"] == 200:
        assert answer == json.loads(recorded["answer"])
    else:
        assert answer["message"]
        refused = json.loads(recorded["answer"]) if recorded["status"] == 400 else {"error_code": "BAD_REQUEST"}
        assert answer["error_code"] == refused["error_code"]
