"""MLflow's scoring protocol: the same numbers as by /predict, columns by name, and MLflow's errors."""

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_api.routing import RateLimit, Unavailable
from linplane_server import errors
from linplane_server.errors import TooLarge
from linplane_server.interfaces.mlflow import CODES, MLFLOW
from linplane_server.problems import STATUSES
from linplane_server.state.serving import Serving
from unit.server.builders import V1, Client, document, refusal_types, serving
from unit.server.strategies import SECRET, numbers, texts_of, wild_bodies


@pytest.fixture
async def loaded() -> Serving:
    return await serving(document("homes"), document("pens", current="v2"))


def ask(client: Client, body: object, route: str = "homes", **headers: str) -> tuple[int, dict[str, str], Any]:
    data = body if isinstance(body, bytes | TooLarge) else json.dumps(body).encode()
    status, out, content = client.ask(data, route, interface=MLFLOW, **headers)
    assert out["content-type"] == "application/json"
    assert out["content-length"] == str(len(content))
    assert out["x-request-id"]
    return status, out, json.loads(content)


ROW = {"area": 2, "rooms": 3}
FORMS: list[Any] = [
    {"dataframe_split": {"columns": ["area", "rooms"], "data": [[2, 3]]}},
    {"dataframe_split": {"index": [7], "columns": ["rooms", "note", "area"], "data": [[3, "text", 2.0]]}},
    {"dataframe_records": [ROW]},
    {"dataframe_records": [{"rooms": 3, "area": 2, "note": None, "more": {"a": [1]}}]},
    {"instances": [ROW]},
    {"inputs": [ROW]},
    {"inputs": {"rooms": [3], "area": [2], "note": ["text"]}},
    {"inputs": {"rooms": 3, "area": 2, "note": "text"}},
    {"inputs": [ROW], "params": {"temperature": 0.5, "more": {"a": [[[[1]]]]}}},
    {"inputs": [ROW], "params": {"key": "user-42"}},
    {"inputs": [ROW], "params": None},
]


@pytest.mark.parametrize("body", FORMS)
def test_mlflow_form_is_answered_as_by_predict(loaded: Serving, body: Any) -> None:
    status, headers, answer = ask(Client(loaded), body)
    assert (status, answer) == (200, {"predictions": [35.0]})
    by_predict = Client(loaded).ask(b'{"features":{"area":2,"rooms":3}}', "homes")[1]
    for name in ("x-linplane-version", "x-linplane-digest", "x-linplane-revision"):
        assert headers[name] == by_predict[name]


def tables(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The same rows in each form of JSON, with a column that no route has."""
    names = [*rows[0], "note"]
    return {
        "dataframe_split": {"columns": names, "data": [[row.get(name, "text") for name in names] for row in rows]},
        "dataframe_records": [{**row, "note": "text"} for row in rows],
        "instances": rows,
        "inputs": {name: [row.get(name, "text") for row in rows] for name in names},
    }


def table_of_csv(rows: list[dict[str, Any]]) -> bytes:
    """As pandas writes it: with a first column without a name."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["", *rows[0], "note"])
    for number, row in enumerate(rows):
        writer.writerow([number, *(repr(float(row[name])) for name in rows[0]), 'a "text",\nof two lines'])
    return file.getvalue().encode()


rows_by_name = st.lists(st.fixed_dictionaries({"rooms": numbers, "area": numbers}), min_size=1, max_size=3)


@given(rows_by_name, st.none() | st.text(max_size=3))
async def test_mlflow_prediction_has_the_bits_of_predict(rows: list[dict[str, Any]], key: str | None) -> None:
    client = Client(await serving(document(split=[("v2", 5000)])))
    plain = [{name: float(value) for name, value in row.items()} for row in rows]
    by_key = {} if key is None else {"key": key}
    for form, table in tables(rows).items():
        expected, out, content = client.ask(json.dumps({"rows": plain, **by_key}).encode(), "homes")
        status, headers, answer = ask(client, {form: table, "params": by_key})
        assert status == {422: 400}.get(expected, expected)
        if status == 200:
            assert repr(answer["predictions"]) == repr(json.loads(content)["predictions"])
            assert headers["x-linplane-version"] == out["x-linplane-version"]
    expected, _, content = client.ask(json.dumps({"rows": plain}).encode(), "homes")
    status, _, answer = ask(client, table_of_csv(rows), content_type="text/csv")
    assert status == {422: 400}.get(expected, expected)
    assert status != 200 or repr(answer["predictions"]) == repr(json.loads(content)["predictions"])


def test_mlflow_true_and_false_are_numbers_and_texts_are_not(loaded: Serving) -> None:
    client = Client(loaded)
    body = {"inputs": {"area": [True, 1], "rooms": [False, 1]}}
    assert ask(client, body)[2] == {"predictions": [3.0, 13.0]}
    for text in ("1", "true", ""):
        assert ask(client, {"inputs": {"area": [1], "rooms": [text]}})[0] == 400


NUMBER = "a finite number is needed, not"
BAD = "BAD_REQUEST"
INVALID = "INVALID_PARAMETER_VALUE"
ONE = "exactly one of dataframe_split, dataframe_records, instances and inputs is needed"
BY_NAME = "an object is needed, not an array: columns are matched by name"
NO_ROW = "at least one row is needed, in columns that are features of this route"
NAN = "NaN, an infinity or a number out of range"
REFUSED: list[tuple[Any, str, str]] = [
    (b"", BAD, "not JSON (line 1, column 1)"),
    (b'{"inputs":[{"area":1,"rooms":2,"rooms":3}]}', BAD, "an object has a duplicate key"),
    (b'{"inputs":[{"area":1,"rooms":2,"x":{"y":1,"y":2}}]}', BAD, "an object has a duplicate key"),
    ([ROW], BAD, "an object is needed, not an array"),
    ({}, BAD, ONE),
    ({"columns": ["area"], "data": [[1]]}, BAD, ONE),
    ({"inputs": [ROW], "instances": [ROW]}, BAD, ONE),
    ({"inputs": [[2, 3]]}, INVALID, f"/inputs/0: {BY_NAME}"),
    ({"instances": [ROW, [2, 3]]}, INVALID, f"/instances/1: {BY_NAME}"),
    ({"inputs": SECRET}, INVALID, "/inputs: an object is needed, not a text: columns are matched by name"),
    ({"inputs": []}, INVALID, "/inputs: at least one row is needed"),
    ({"inputs": {}}, INVALID, f"/inputs: {NO_ROW}"),
    ({"inputs": {"area": [], "rooms": []}}, INVALID, f"/inputs: {NO_ROW}"),
    ({"inputs": {"area": [1], "rooms": [1, 2]}}, INVALID, "/inputs: the columns differ in length"),
    ({"inputs": {"area": [1], "rooms": 1}}, INVALID, "/inputs/rooms: an array is needed, not a number"),
    ({"inputs": {"area": [1], "rooms": [SECRET]}}, INVALID, f"/inputs/rooms/0: {NUMBER} a text"),
    ({"inputs": {"area": [1, 2]}}, INVALID, "/inputs (row 1)/rooms: version v1 needs the feature rooms"),
    ({"inputs": {"area": 1, "rooms": None}}, INVALID, f"/inputs/rooms: {NUMBER} null"),
    ({"inputs": [ROW], "params": 5}, INVALID, "/params: an object is needed, not a number"),
    ({"inputs": [ROW], "params": []}, INVALID, "/params: an object is needed, not an array"),
    ({"inputs": [ROW], "params": {"key": 7}}, INVALID, "/params/key: a text is needed, not a number"),
    ({"instances": [ROW, {"area": 1, SECRET: 2}]}, INVALID, "/instances/1/rooms: version v1 needs the feature rooms"),
    ({"dataframe_records": {"area": 1}}, INVALID, "/dataframe_records: an array is needed, not an object"),
    ({"dataframe_records": [{**ROW, "area": [SECRET]}]}, INVALID, f"/dataframe_records/0/area: {NUMBER} an array"),
    (b'{"instances":[{"area":NaN,"rooms":1}]}', INVALID, f"/instances/0/area: {NUMBER} {NAN}"),
    ({"dataframe_split": [ROW]}, INVALID, "/dataframe_split: an object is needed, not an array"),
    ({"dataframe_split": {"data": [[1]]}}, INVALID, "/dataframe_split/columns: an array is needed, not null"),
    (
        {"dataframe_split": {"columns": [1], "data": [[1]]}},
        INVALID,
        "/dataframe_split/columns/0: a text is needed, not a number",
    ),
    ({"dataframe_split": {"columns": ["area"]}}, INVALID, "/dataframe_split/data: an array is needed, not null"),
    (
        {"dataframe_split": {"columns": ["area", "area"], "data": [[1, 2]]}},
        INVALID,
        "/dataframe_split/columns: a feature is given by more than one column",
    ),
    (
        {"dataframe_split": {"columns": ["area", "rooms"], "data": [[1, 2], [1]]}},
        INVALID,
        "/dataframe_split/data/1: as many values as columns are needed: 2; 1 are given",
    ),
    (
        {"dataframe_split": {"columns": ["x", "area", "rooms"], "data": [[1, 2, SECRET]]}},
        INVALID,
        f"/dataframe_split/data/0/2: {NUMBER} a text",
    ),
    (
        {"dataframe_split": {"columns": ["area"], "data": [[2]]}},
        INVALID,
        "/dataframe_split/data/0/rooms: version v1 needs the feature rooms",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("body", "code", "message"), REFUSED)
def test_mlflow_malformed_body_is_400_with_its_place(loaded: Serving, body: Any, code: str, message: str) -> None:
    status, _, answer = ask(Client(loaded), body)
    assert (status, answer) == (400, {"error_code": code, "message": message})


TABLES: list[tuple[bytes, list[float] | str]] = [
    (b"area,rooms\n2,3\n", [35.0]),
    (b"rooms,area\r\n3,2\r\n30e-1, 2.0 \r\n", [35.0, 35.0]),
    (b"\xef\xbb\xbfarea,rooms\n2,3", [35.0]),
    (b'\n,"area","note","rooms"\n\n0,"2","a ""b"",\nc",3\n\n', [35.0]),
    (b"", "a header line with the names of the features, and at least one row are needed"),
    (b"area,rooms\n", "a header line with the names of the features, and at least one row are needed"),
    (b"area,area\n1,2\n", "the header names a feature twice"),
    (b"70,3\n80,3\n", "the header line names no feature of the route; names are separated by commas"),
    (b"area;rooms\n1;2\n", "the header line names no feature of the route; names are separated by commas"),
    (b"area\n1\n", "row 1/rooms: version v1 needs the feature rooms"),
    (b"area,rooms\n1,2\n1,\n", "row 2, column rooms: a finite number is needed; the cell is empty"),
    (b"area,rooms\n1,2\n \t,2\n", "row 2, column area: a finite number is needed; the cell is empty"),
    (b"area,rooms\n1,2\n1\n", "row 2: as many cells as in the header are needed: 2; 1 are given"),
    (b"area,rooms\n1,2,3\n", "row 1: as many cells as in the header are needed: 2; 3 are given"),
    (b'area,rooms\n1,"2', "not CSV (line 2)"),
    (b'area,rooms\n1,"2"3\n', "not CSV (line 2)"),
    (b"area,rooms\n1,\xff\n", "not UTF-8 (byte 13)"),
    (b"area,rooms\n1," + b"1" * 200_000, "not CSV (line 2)"),
    (b"area,rooms\n1e308,1e308\n", "row 1: the prediction is not a finite number: these values are too large"),
]


@pytest.mark.parametrize(("body", "expected"), TABLES)
def test_mlflow_csv_is_read_by_its_header(loaded: Serving, body: bytes, expected: list[float] | str) -> None:
    status, _, answer = ask(Client(loaded), body, content_type="text/csv")
    if isinstance(expected, list):
        assert (status, answer) == (200, {"predictions": expected})
    else:
        assert (status, answer["message"]) == (400, expected)
        assert answer["error_code"] == (BAD if expected.startswith("not ") else INVALID)


@pytest.mark.parametrize(
    "cell",
    [
        "nan",
        "NaN",
        "inf",
        "-Infinity",
        "1e400",
        "9" * 400,
        "true",
        "1_0",
        "+1",
        "01",
        ".5",
        "1.",
        "0x1",
        "\u0661",
        "1 2",
        '"1,2"',
        '"1\n2"',
    ],
)
def test_mlflow_csv_cell_is_a_number_of_json(loaded: Serving, cell: str) -> None:
    status, _, answer = ask(Client(loaded), f"area,rooms\n1,{cell}\n".encode(), content_type="text/csv")
    message = "row 1, column rooms: a finite number is needed, written as in JSON"
    assert (status, answer) == (400, {"error_code": INVALID, "message": message})


TYPES = [
    ("application/json", 200),
    ("application/json; charset=utf-8", 200),
    ("application/json;", 200),
    ("application/x-www-form-urlencoded", 200),  # curl -d says so of JSON
    ("text/csv", 400),
    ("Text/CSV; charset=UTF-8", 400),
    ("text/csv; header=present", 400),
    ('text/csv;charset=utf-8 ; header="present"', 400),
    ("text/csv; header=present; charset=utf8;", 400),
    ("text/csv; header=absent", 415),
    ("text/csv; charset=latin-1", 415),
    ("text/csvx", 415),
    ("text/plain", 415),
    ("application/vnd.apache.parquet", 415),
]


@pytest.mark.parametrize(("kind", "expected"), TYPES)
def test_mlflow_types_are_json_and_csv(loaded: Serving, kind: str, expected: int) -> None:
    assert ask(Client(loaded), {"inputs": [ROW]}, content_type=kind)[0] == expected
    assert ask(Client(loaded), {"inputs": [ROW]}, content_type=kind, content_encoding="gzip")[0] == 415


async def test_mlflow_refusals_have_their_status_and_code(loaded: Serving) -> None:
    client = Client(loaded)
    good = {"inputs": [ROW]}

    def refused(client: Client, body: object, route: str = "homes", **headers: str) -> tuple[int, str]:
        status, _, answer = ask(client, body, route, **headers)
        assert set(answer) == {"error_code", "message"}
        return status, answer["error_code"]

    assert refused(client, good, "absent") == (404, "RESOURCE_DOES_NOT_EXIST")
    assert refused(client, good, content_type="text/plain") == (415, BAD)
    assert refused(client, TooLarge("over")) == (413, BAD)
    assert client.ask(b"", "homes", method="GET", interface=MLFLOW)[0] == 405
    limited = Client(await serving(document(limit=RateLimit(0.1, 1, "Client"))))
    assert ask(limited, good)[0] == 200
    assert refused(limited, good) == (429, "REQUEST_LIMIT_EXCEEDED")
    frozen = document(versions={"v2": V1}, unavailable=Unavailable("CurrentFrozen", "v1 is frozen"))
    assert refused(Client(await serving(frozen)), good) == (503, "TEMPORARILY_UNAVAILABLE")


def test_mlflow_code_of_each_refusal_fits_its_status() -> None:
    """MLflow's own table gives each code one status; a refusal without a code there is BAD_REQUEST."""
    theirs = {
        "RESOURCE_DOES_NOT_EXIST": 404,
        "INVALID_PARAMETER_VALUE": 422,
        "REQUEST_LIMIT_EXCEEDED": 429,
        "TEMPORARILY_UNAVAILABLE": 503,
        "INTERNAL_ERROR": 500,
    }
    for kind in refusal_types(errors.PredictionRefusal) & set(STATUSES):
        status = STATUSES[kind][0]
        assert theirs.get(CODES.get(kind, "BAD_REQUEST"), status) == status
        assert kind in CODES or status in {400, 405, 413, 415}


def test_mlflow_requests_are_counted_under_their_protocol(loaded: Serving) -> None:
    ask(Client(loaded), {"inputs": [ROW]})
    assert loaded.counters.versions("homes")["v1"].protocols["mlflow"] == 1


FIELDS = [
    "dataframe_split",
    "columns",
    "data",
    "dataframe_records",
    "instances",
    "inputs",
    "params",
    "key",
    "area",
    "rooms",
]


@given(wild_bodies(FIELDS), texts_of("application/json") | texts_of("text/csv"))
async def test_mlflow_answers_no_body_with_a_500_and_repeats_no_value(body: bytes, kind: str) -> None:
    client = Client(await serving(document(split=[("v2", 5000)])))
    status, headers, answer = ask(client, body, content_type=kind)
    assert status in {200, 400, 415}
    assert SECRET not in str(headers) + json.dumps(answer)
    assert "424242" not in str(headers) + json.dumps(answer.get("message"))


cells = st.sampled_from(["area", "rooms", "1", "2.5e3", "", SECRET, '"', '"a"', "\x00", "\r", "é", "424242"])
lines = st.lists(st.lists(cells, max_size=4).map(",".join), max_size=4).map("\n".join)


@given(lines)
async def test_mlflow_answers_no_csv_with_a_500_and_repeats_no_value(table: str) -> None:
    status, _, answer = ask(Client(await serving(document())), table.encode(), content_type="text/csv")
    assert status in {200, 400}
    assert SECRET not in json.dumps(answer)
    assert "424242" not in json.dumps(answer.get("message"))
