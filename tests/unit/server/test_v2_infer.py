"""The inference call of the Open Inference Protocol v2: what is accepted, and the status of everything else."""

import json
from typing import Any

import pytest

from linplane_api.routing import RateLimit, Unavailable
from linplane_server.errors import TooLarge
from linplane_server.interfaces.v2 import messages
from linplane_server.interfaces.v2.infer import INFERENCE
from linplane_server.predict.interface import Call
from unit.server.builders import V1, V2, Client, document, serving
from unit.server.oip import ANSWER, AREA, IN_BINARY, RAW, ROOMS, ROWS, data_of, infer, tensor


@pytest.fixture
async def client() -> Client:
    return Client(await serving(document()))


async def test_infer_answers_a_matrix(client: Client) -> None:
    status, headers, answer = infer(client, {"inputs": [ROWS], "id": "a-1"})
    assert status == 200
    parameters = answer.pop("parameters")
    assert answer == {
        "model_name": "homes",
        "model_version": "v1",
        "outputs": [{"name": "prediction", "shape": [2, 1], "datatype": "FP64", "data": ANSWER}],
        "id": "a-1",
    }
    assert parameters == {
        "version": headers["x-linplane-version"],
        "digest": headers["x-linplane-digest"],
        "revision": headers["x-linplane-revision"],
        "assignedBy": "current",
    }


ACCEPTED = {
    "matrix of any name": [{**ROWS, "name": "prediction"}],
    "matrix, flat": [tensor([2, 3, 0, 0], [2, 2])],
    "tensor for each feature": [AREA, ROOMS],
    "tensor for each feature, in any order": [ROOMS, AREA],
    "tensor for each feature, of any datatype": [AREA | {"datatype": "UINT8"}, ROOMS | {"datatype": "INT64"}],
    "one column for a feature, flat": [AREA, tensor([3, 0], [2, 1], "rooms")],
    "content type of a codec": [AREA | {"parameters": {"content_type": "pd"}}, ROOMS],
    "integers as FP32": [ROWS | {"datatype": "FP32"}],
    "no data, but null": [ROWS | {"parameters": None}],
}


@pytest.mark.parametrize("inputs", ACCEPTED.values(), ids=ACCEPTED)
def test_infer_takes_one_matrix_or_a_tensor_for_each_feature(client: Client, inputs: list[Any]) -> None:
    status, _, answer = infer(client, {"inputs": inputs})
    assert (status, data_of(answer)) == (200, ANSWER)


async def test_infer_reads_a_tensor_named_like_a_feature_as_that_feature() -> None:
    client = Client(await serving(document(versions={"v1": {"area": 2.0}})))
    assert data_of(infer(client, {"inputs": [tensor([[1], [2]], [2, 1], "area")]})[2]) == [3.0, 5.0]
    assert data_of(infer(client, {"inputs": [tensor([1, 2], [2], "area")]})[2]) == [3.0, 5.0]
    assert data_of(infer(client, {"inputs": [tensor([1, 2], [2, 1])]})[2]) == [3.0, 5.0]
    assert infer(client, {"inputs": [tensor([[1, 2]], [1, 2], "area")]})[0] == 400


async def test_infer_refuses_a_matrix_if_versions_disagree_on_the_order() -> None:
    versions = {"v1": V1, "v2": {"rooms": 20.0, "area": 3.0}}
    client = Client(await serving(document(versions=versions, split=[("v2", 0)])))
    status, _, answer = infer(client, {"inputs": [ROWS]})
    assert status == 400
    assert "one tensor for each feature" in answer["error"]
    assert infer(client, {"inputs": [ROWS]}, version="v1")[0] == 400
    assert data_of(infer(client, {"inputs": [AREA, ROOMS]})[2]) == ANSWER


def inputs(**changes: Any) -> dict[str, Any]:
    return {"inputs": [ROWS | changes]}


REFUSED: dict[str, tuple[Any, int]] = {
    "malformed JSON": (b'{"inputs":[', 400),
    "empty body": (b"", 400),
    "not UTF-8": (b'{"inputs":[],"id":"\xff"}', 400),
    "array": ([], 400),
    "no inputs": ({"id": "a"}, 400),
    "inputs empty": ({"inputs": []}, 400),
    "missing key: name": ({"inputs": [{"shape": [1, 2], "datatype": "FP64", "data": [1, 2]}]}, 400),
    "missing key: data": ({"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP64"}]}, 400),
    "data is null": (inputs(data=None), 400),
    "data is a number": (inputs(data=5), 400),
    "shape and data disagree: too few": (inputs(shape=[3, 2]), 400),
    "shape and data disagree: flat": (inputs(shape=[3, 2], data=[1, 2, 3]), 400),
    "shape and data disagree: transposed": (
        {"inputs": [tensor([[1, 2], [3, 4], [5, 6]], [2, 3])], "comment": "Triton reads this"},
        400,
    ),
    "ragged data": (inputs(data=[[1, 2], [3]]), 400),
    "ragged data: a number next to a list": (inputs(data=[[1, 2], 3]), 400),
    "ragged data: a list after numbers": (inputs(data=[1, 2, [3, 4]]), 400),
    "nested deeper than the shape": (inputs(data=[[[2], [3]], [[0], [0]]]), 400),
    "wrong feature count": ({"inputs": [tensor([1, 2, 3], [1, 3])]}, 400),
    "wrong feature count, no rows": ({"inputs": [tensor([], [0, 3])]}, 400),
    "rank 0": ({"inputs": [tensor([1], [])]}, 400),
    "rank 1": ({"inputs": [tensor([1, 2], [2])]}, 400),
    "rank 3": ({"inputs": [tensor([1, 2], [1, 2, 1])]}, 400),
    "negative dimension": ({"inputs": [tensor([2, 3], [-1, 2])]}, 400),
    "dimension not an integer": (inputs(shape=[2.5, 2]), 400),
    "unknown input name": ({"inputs": [AREA, ROOMS | {"name": "floors"}]}, 400),
    "two matrices": ({"inputs": [ROWS, ROWS]}, 400),
    "matrix next to a feature": ({"inputs": [ROWS, AREA]}, 400),
    "a feature twice": ({"inputs": [AREA, AREA, ROOMS]}, 400),
    "a feature missing": ({"inputs": [AREA]}, 400),
    "different numbers of rows": ({"inputs": [AREA, tensor([3], [1], "rooms")]}, 400),
    "unknown output name": ({"inputs": [ROWS], "outputs": [{"name": "y"}]}, 400),
    "two outputs": ({"inputs": [ROWS], "outputs": [{"name": "prediction"}, {"name": "prediction"}]}, 400),
    "output without a name": ({"inputs": [ROWS], "outputs": [{}]}, 400),
    "unknown datatype": (inputs(datatype="FP128"), 400),
    "BYTES": (inputs(datatype="BYTES", data=["a", "b", "c", "d"]), 400),
    "FP16 in JSON": (inputs(datatype="FP16"), 400),
    "FP32": (inputs(datatype="FP32"), 200),
    "INT64": (inputs(datatype="INT64"), 200),
    "BOOL": (inputs(datatype="BOOL", data=[[True, False], [False, True]]), 200),
    "numbers as strings": (inputs(data=[["2", "3"], ["0", "0"]]), 400),
    "null in data": (inputs(data=[[None, 3], [0, 0]]), 400),
    "boolean in FP64": (inputs(data=[[True, 3], [0, 0]]), 400),
    "booleans in FP64": (inputs(data=[True, True, True, True]), 400),
    "boolean in INT64": (inputs(datatype="INT64", data=[True, 3, 0, 0]), 400),
    "number in BOOL": (inputs(datatype="BOOL", data=[1, 0, 0, 1]), 400),
    "fraction in INT64": (inputs(datatype="INT64", data=[2.5, 3, 0, 0]), 400),
    "whole number with a point in INT64": (inputs(datatype="INT64", data=[2.0, 3, 0, 0]), 200),
    "out of range of UINT8": (inputs(datatype="UINT8", data=[256, 0, 0, 0]), 400),
    "negative in UINT8": (inputs(datatype="UINT8", data=[-1, 0, 0, 0]), 400),
    "out of range of FP32": (inputs(datatype="FP32", data=[1e39, 0, 0, 0]), 400),
    "integer out of range of FP64": (inputs(data=[10**400, 0, 0, 0]), 400),
    "integer out of range of FP32": (inputs(datatype="FP32", data=[10**400, 0, 0, 0]), 400),
    "integer of 310 digits next to a fraction": (inputs(datatype="INT64", data=[1.0, 10**310, 0, 0]), 400),
    "NaN": (b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP64","data":[NaN,1]}]}', 400),
    "Infinity": (b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP64","data":[-Infinity,1]}]}', 400),
    "number out of range": (b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP64","data":[1e999,1]}]}', 400),
    "a feature missing, no rows": ({"inputs": [tensor([], [0], "area")]}, 400),
    "an unknown feature, no rows": ({"inputs": [tensor([], [0], "floors"), tensor([], [0], "rooms")]}, 400),
    "result not finite": (inputs(data=[1e308, 1e308, 0, 0]), 400),
    "rows: 0": ({"inputs": [tensor([], [0, 2])]}, 200),
    "rows: 0, for each feature": ({"inputs": [tensor([], [0], "area"), tensor([], [0, 1], "rooms")]}, 200),
    "id a number": ({"inputs": [ROWS], "id": 5}, 400),
    "id null": ({"inputs": [ROWS], "id": None}, 200),
    "outputs null": ({"inputs": [ROWS], "outputs": None, "parameters": None}, 200),
    "outputs empty": ({"inputs": [ROWS], "outputs": []}, 200),
    "output requested": ({"inputs": [ROWS], "outputs": [{"name": "prediction"}]}, 200),
    "unknown members": ({"inputs": [ROWS | {"y": [1]}], "model_name": "other", "extra": {"a": [{"b": 1}]}}, 200),
    "unknown parameters": ({"inputs": [ROWS], "parameters": {"priority": 1, "a": [{}], "b": None, "c": 1.5}}, 200),
    "key a number": ({"inputs": [ROWS], "parameters": {"key": 5}}, 400),
    "binary flag a text": ({"inputs": [ROWS], "parameters": {"binary_data_output": "yes"}}, 400),
    "classification": (
        {"inputs": [ROWS], "outputs": [{"name": "prediction", "parameters": {"classification": 2}}]},
        400,
    ),
    "shared memory": (inputs(parameters={"shared_memory_region": "r"}), 400),
    "duplicate key": (b'{"inputs":[],"inputs":[{"name":"x","shape":[1,2],"datatype":"FP64","data":[1,2]}]}', 400),
    "duplicate key in a parameter": (
        b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP64","data":[1,2]}],"parameters":{"key":"a","key":"b"}}',
        400,
    ),
    "shape of 10^12 rows": ({"inputs": [tensor([1], [10**12, 2])]}, 400),
    "shape of 10^12 rows of nothing": ({"inputs": [tensor([], [10**12, 0])]}, 400),
    "shape past 2^64": ({"inputs": [tensor([1, 2], [2**63, 2])]}, 400),
    "shape past 2^64, empty": ({"inputs": [tensor([], [2**64, 2])]}, 400),
    "shape with a dimension of 5,000 digits": (
        b'{"inputs":[{"name":"x","shape":[%b,2],"datatype":"FP64","data":[1,2]}]}' % (b"9" * 5000),
        400,
    ),
    "shape of 10,000 dimensions": ({"inputs": [tensor([1], [2**64] * 2500)]}, 400),
    "nested 120 deep": (b'{"inputs":' + b"[" * 120 + b"]" * 120 + b"}", 400),
    "nested 120 deep in an unknown member": (
        b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP64","data":[1,2]}],"x":%b}' % (b"[" * 120 + b"]" * 120),
        400,
    ),
    "nested 60,000 deep": (b'{"inputs":[],"x":' + b"[" * 60_000, 400),
}


@pytest.mark.parametrize(("body", "expected"), REFUSED.values(), ids=REFUSED)
def test_infer_status_of_each_kind_of_body(client: Client, body: Any, expected: int) -> None:
    status, _, answer = infer(client, body)
    assert (status, status == 200 or answer["error"] != "") == (expected, True)


@pytest.mark.parametrize("name", ["rows: 0", "rows: 0, for each feature"])
def test_infer_of_no_rows_has_an_empty_output(client: Client, name: str) -> None:
    output = infer(client, REFUSED[name][0])[2]["outputs"][0]
    assert (output["shape"], output["data"]) == ([0, 1], [])


def refusal(client: Client, *inputs: dict[str, Any]) -> str:
    status, _, answer = infer(client, {"inputs": list(inputs)})
    assert status == 400
    text: str = answer["error"]
    return text


async def test_infer_names_the_fault_of_a_tensor_that_is_neither_feature_nor_matrix(client: Client) -> None:
    for shape in ([], [2], [1, 2, 1]):
        fault = "[n, 2] is needed for a tensor that is not named by a feature; its shape has rank"
        assert refusal(client, tensor([1, 2], shape)) == f"/inputs/0/shape: {fault} {len(shape)}"
    assert refusal(client, tensor([], [0], "area")) == "version v1 needs the feature rooms"
    text = refusal(client, AREA, tensor([1, 2], [2], "floors"))
    assert (
        text
        == "/inputs/1/name: floors is not a feature; the inputs are a tensor for each feature, or one matrix [n, 2]"
    )
    versions = {"v1": V1, "v2": {"rooms": 20.0, "area": 3.0}}
    disagreed = Client(await serving(document(versions=versions, split=[("v2", 0)])))
    text = refusal(disagreed, tensor([1, 2], [2]))
    assert text == "/inputs/0/name: x is not a feature; the inputs are a tensor for each feature"
    assert refusal(disagreed, ROWS) == (
        "/inputs/0: one tensor for each feature is needed: the versions v1 (current), v2 of this route do not declare "
        "the same features in the same order: send features by name"
    )


async def test_infer_takes_many_rows_by_feature_in_any_order_with_the_numbers_of_a_matrix() -> None:
    client = Client(await serving(document(split=[("v2", 5000)])))
    area, rooms = list(range(300)), [n % 7 for n in range(300)]
    matrix = infer(client, {"inputs": [tensor(list(zip(area, rooms, strict=True)), [300, 2])]})[2]
    by_name = infer(client, {"inputs": [tensor(rooms, [300], "rooms"), tensor(area, [300], "area")]})[2]
    assert by_name == matrix


def test_infer_makes_arrays_of_features_in_any_order_if_the_versions_agree(client: Client) -> None:
    route = client.predictor._store.snapshot.routes["homes"]
    call = Call("POST", [], {}, "", json.dumps({"inputs": [ROOMS, AREA]}).encode())
    assert INFERENCE.decode(route, call).rows == [[2.0, 3.0], [0.0, 0.0]]


@pytest.mark.parametrize("declared", [None, "application/json", "application/octet-stream", "text/plain", ""])
def test_infer_ignores_the_content_type(client: Client, declared: str | None) -> None:
    headers = {} if declared is None else {"content_type": declared}
    assert infer(client, {"inputs": [ROWS]}, **headers)[0] == 200
    assert infer(client, {"inputs": [IN_BINARY]}, RAW, **headers)[0] == 200


@pytest.mark.parametrize("name", ["", "a" * 500, 'ä"\\\n', "☃"])
def test_infer_returns_the_id(client: Client, name: str) -> None:
    assert infer(client, {"inputs": [ROWS], "id": name})[2]["id"] == name
    assert "id" not in infer(client, {"inputs": [ROWS]})[2]


async def test_infer_is_split_by_parameter_then_header_then_values() -> None:
    client = Client(await serving(document(split=[("v2", 5000)], header="X-User-Id")))

    def assigned(body: dict[str, Any], **headers: str) -> tuple[str, str]:
        answer = infer(client, body, **headers)[2]
        return answer["model_version"], answer["parameters"]["assignedBy"]

    keyed = {"inputs": [ROWS], "parameters": {"key": "u"}}
    assert assigned(keyed, x_user_id="h")[1] == "key"
    assert assigned({"inputs": [ROWS]}, x_user_id="h")[1] == "header"
    assert assigned({"inputs": [ROWS], "parameters": {"key": ""}}, x_user_id="h")[1] == "header"
    assert assigned({"inputs": [ROWS]})[1] == "features"
    assert assigned({"inputs": [ROWS]}) == assigned({"inputs": [ROOMS, AREA]})
    assert assigned({"inputs": [tensor([], [0, 2])]})[1] == "features"
    for key in map(str, range(20)):
        native = json.loads(client.ask(json.dumps({"features": [2, 3], "key": key}).encode(), "homes")[2])
        assert assigned({"inputs": [ROWS], "parameters": {"key": key}})[0] == native["version"]


async def test_infer_by_version_in_the_path() -> None:
    split = [("v2", 0), ("v3", 100)]
    loaded = await serving(document(split=split, versions={"v1": V1, "v2": V2}, named={"v3": ("area", "rooms")}))
    client = Client(loaded)
    answers = {name: infer(client, {"inputs": [ROWS]}, version=name) for name in ("v1", "v2", "v3", "v4")}
    assert {name: answer[0] for name, answer in answers.items()} == {"v1": 200, "v2": 200, "v3": 503, "v4": 404}
    assert answers["v2"][2]["parameters"]["assignedBy"] == "version"
    assert data_of(answers["v2"][2]) == [67.0, 1.0]


async def test_infer_refusals_before_the_body() -> None:
    body = {"inputs": [ROWS]}
    limited = Client(await serving(document(limit=RateLimit(1, 1, "Route", 1))))
    assert [infer(limited, body)[0] for _ in range(2)] == [200, 429]
    assert infer(limited, body)[1]["retry-after"] == "1"
    frozen = document(versions={}, named={"v1": ("area", "rooms")}, unavailable=Unavailable("CurrentFrozen", "frozen"))
    away = Client(await serving(frozen))
    assert infer(away, body)[::2] == (503, {"error": "frozen"})
    assert infer(away, body, version="v1")[0] == 503
    status, _, answer = infer(away, body, route="absent")
    assert status == 404
    assert "absent" not in answer["error"]
    assert infer(away, body, method="GET")[:2][0] == 405
    assert infer(away, body, method="GET")[1]["allow"] == "POST"


async def test_infer_of_a_model_that_never_served_is_503() -> None:
    never = Unavailable("NeverServed", "no version was ever Ready")
    client = Client(await serving(document(current=None, versions={}, unavailable=never)))
    for inputs in ([ROWS], [AREA, ROOMS]):
        assert infer(client, {"inputs": inputs})[::2] == (503, {"error": "no version was ever Ready"})
    assert infer(client, b"{")[0] == 503


ALL_MEMBERS = {
    "id": "a",
    "model_name": "homes",
    "parameters": {"key": "u", "binary_data_output": False},
    "inputs": [ROWS | {"parameters": {"content_type": "np"}}],
    "outputs": [{"name": "prediction", "parameters": {"binary_data": False}}],
}
MEMBERS = [ALL_MEMBERS, {"inputs": [AREA, ROOMS], "id": None, "outputs": None}, {"inputs": [ROWS], "outputs": []}]


@pytest.mark.parametrize("body", MEMBERS)
def test_infer_parses_a_body_of_known_members_once(client: Client, body: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "check_duplicates", lambda data: pytest.fail("a second parse"))
    assert infer(client, body)[0] == 200


def test_infer_refuses_a_body_that_is_too_large(client: Client) -> None:
    status, _, content = client.ask(TooLarge("the body is over 5 bytes"), "homes", interface=INFERENCE)
    assert (status, json.loads(content)) == (413, {"error": "the body is over 5 bytes"})


async def test_infer_is_counted_by_its_protocol() -> None:
    loaded = await serving(document())
    client = Client(loaded)
    for body in ({"inputs": [ROWS]}, {"inputs": [AREA]}, {"inputs": []}):
        infer(client, body)
    counted = loaded.counters.versions("homes")
    assert counted["v1"].protocols["v2"] == 2
    assert (counted["v1"].errors, counted["v1"].missing) == ({"missing_feature": 1}, {"rooms": 1})
    assert counted[""].errors == {"invalid": 1}
