"""Answers of very many rows are encoded in slices: the same bytes as at once."""

import json
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linplane_server.interfaces import csv_answers, json_answers
from linplane_server.interfaces.mlflow import MLFLOW
from linplane_server.interfaces.native import NATIVE
from linplane_server.interfaces.v1 import V1_PROTOCOL
from linplane_server.interfaces.v2 import encoding
from linplane_server.interfaces.v2.infer import INFERENCE
from linplane_server.predict.interface import Answer, Call, Interface, Target
from unit.server.builders import Client, document, serving
from unit.server.parts import steps_of

NUMBERS = st.floats(-1e6, 1e6)


def tensor(rows: Any, **more: Any) -> Any:
    """A request of v2."""
    return {"inputs": [{"name": "[]", "shape": [len(rows), 2], "datatype": "FP64", "data": rows}], "id": "[]", **more}


CASES: dict[str, tuple[Interface, Any, dict[bytes, bytes]]] = {
    "predict": (NATIVE, lambda rows: {"rows": rows}, {}),
    "predict, CSV": (NATIVE, lambda rows: {"rows": rows}, {b"accept": b"text/csv"}),
    "v1": (V1_PROTOCOL, lambda rows: {"instances": rows}, {}),
    "mlflow": (MLFLOW, lambda rows: {"dataframe_split": {"columns": ["area", "rooms"], "data": rows}}, {}),
    "v2": (INFERENCE, tensor, {}),
    "v2, compressed": (INFERENCE, tensor, {b"accept-encoding": b"gzip"}),
    "v2, binary": (INFERENCE, lambda rows: tensor(rows, parameters={"binary_data_output": True}), {}),
    "v2, binary and compressed": (
        INFERENCE,
        lambda rows: tensor(rows, parameters={"binary_data_output": True}),
        {b"accept-encoding": b"deflate"},
    ),
}


def plain(answer: Answer) -> Answer:
    """An answer without compression, as far as it has some."""
    status, headers, content = answer
    coded = dict(headers)
    assert coded[b"content-length"] == b"%d" % len(content)
    if b"content-encoding" in coded:
        content = zlib.decompress(content, wbits=zlib.MAX_WBITS + 32)
        headers = [field for field in headers if field[0] != b"content-length"]
    return status, headers, content


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=25)
@given(rows=st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=20))
async def test_answer_in_slices_is_that_at_once(case: str, rows: Any) -> None:
    interface, make, headers = CASES[case]
    loaded = await serving(document("homes"))
    target = Target(interface, "homes")
    call = Call("POST", list(headers.items()), headers, "192.0.2.1", json.dumps(make(rows)).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding, "WORTHWHILE", 0)
        at_once = Client(loaded).predictor.respond(target, call)
        for module in (json_answers, csv_answers):
            patch.setattr(module, "SLICE", 3)
        patch.setattr(encoding, "PART", 30)
        in_slices = Client(loaded).predictor.respond(target, call)
        *steps, streamed = steps_of(Client(loaded).predictor.stream(target, call), [call.body()])
    assert plain(in_slices) == plain(at_once)
    assert streamed == in_slices
    assert case == "v2, binary" or steps.count(None) >= (len(rows) - 1) // 3
