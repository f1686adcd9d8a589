"""Predictions as CSV, for clients whose Accept prefers it."""

import io
import json
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_server.interfaces.accept import prefers_csv
from linplane_server.interfaces.mlflow import MLFLOW
from linplane_server.interfaces.native import NATIVE
from linplane_server.interfaces.v1 import V1_PROTOCOL
from linplane_server.predict.interface import Interface
from unit.server.builders import Client, document, serving

FINITE = st.floats(min_value=-1e300, max_value=1e300)
ROWS = st.lists(st.fixed_dictionaries({"area": FINITE, "rooms": FINITE}), min_size=1, max_size=5)


async def ask(body: Any, interface: Interface = NATIVE, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """The answer of a route."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Client(await serving(document("homes"))).ask(data, "homes", interface=interface, **headers)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("text/csv", True),
        ("Text/CSV", True),
        ("text/*", True),
        ("text/csv, */*;q=0.5", True),
        ("text/csv;q=0.9, application/json;q=0.1", True),
        ("text/html, text/csv", True),
        ("*/*", False),
        ("", False),
        ("application/json", False),
        ("text/csv, application/json", False),
        ("text/csv, */*", False),
        ("text/csv;q=0", False),
        ("text/csv;q=banana", False),
        ("text/html, application/json", False),
    ],
)
def test_accept_prefers_csv_if_it_has_more_weight_than_json(accept: str, expected: bool) -> None:
    assert prefers_csv({b"accept": accept.encode()}) is expected


def test_request_without_accept_gets_json() -> None:
    assert prefers_csv({}) is False


@given(ROWS)
async def test_lines_are_the_numbers_of_the_json_answer_in_order(rows: list[dict[str, float]]) -> None:
    _, _, plain = await ask({"rows": rows})
    for interface, body in ((NATIVE, {"rows": rows}), (MLFLOW, {"dataframe_records": rows})):
        status, headers, content = await ask(body, interface, accept="text/csv")
        assert (status, headers["content-type"]) == (200, "text/csv; charset=utf-8; header=present")
        assert headers["content-length"] == str(len(content))
        assert headers["x-linplane-version"] == "v1"
        header, *lines = content.decode().removesuffix("\n").split("\n")
        assert header == "prediction"
        assert [float(line) for line in lines] == json.loads(plain)["predictions"]
        assert b",".join(line.encode() for line in lines) in plain


async def test_one_row_is_one_line() -> None:
    assert (await ask({"features": [2, 3]}, accept="text/csv"))[2] == b"prediction\n35.0\n"


async def test_answer_is_a_frame_of_pandas_with_a_row_for_each() -> None:
    content = (await ask(b"area,rooms\n2,3\n0,0\n", MLFLOW, content_type="text/csv", accept="text/csv"))[2]
    frame = pd.read_csv(io.BytesIO(content))
    assert list(frame.columns) == ["prediction"]
    assert frame["prediction"].tolist() == [35.0, 1.0]


@pytest.mark.parametrize("interface", [NATIVE, MLFLOW], ids=["predict", "mlflow"])
async def test_refusal_is_no_csv(interface: Interface) -> None:
    _, headers, content = await ask({"rows": 1}, interface, accept="text/csv")
    assert headers["content-type"].startswith("application/")
    assert isinstance(json.loads(content), dict)


async def test_wrong_row_of_a_csv_is_named_by_its_number() -> None:
    status, _, content = await ask(b"area,rooms\n2,3\n0,x\n", MLFLOW, content_type="text/csv", accept="text/csv")
    assert status == 400
    assert json.loads(content)["message"].startswith("row 2, column rooms: ")


async def test_other_protocols_answer_as_their_clients_need() -> None:
    assert json.loads((await ask({"instances": [[2, 3]]}, V1_PROTOCOL, accept="text/csv"))[2]) == {
        "predictions": [35.0]
    }
