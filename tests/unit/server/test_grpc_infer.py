"""ModelInfer: it answers what HTTP answers, whatever the form of the tensors."""

import struct
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_api.routing import RateLimit, Unavailable
from linplane_server.interfaces.grpc.inference_pb2 import ModelInferRequest, ModelInferResponse
from linplane_server.interfaces.grpc.statuses import MAX_MESSAGE, metadata_of, refusal_of
from linplane_server.interfaces.v2.answers import error_answer
from linplane_server.problems import STATUSES
from unit.server import oip
from unit.server.builders import Client, document, serving
from unit.server.oip import ANSWER, ROWS, packed, tensor
from unit.server.oip_grpc import CONTENTS, flat, infer, message_of
from unit.server.test_v2_infer import ACCEPTED, REFUSED

INEXPRESSIBLE = (AttributeError, KeyError, OverflowError, StopIteration, TypeError, ValueError, struct.error)


@pytest.fixture
async def client() -> Client:
    return Client(await serving(document()))


def values(answer: Any) -> list[float]:
    """The values of a response, and that it is well-formed."""
    assert isinstance(answer, ModelInferResponse), answer
    (output,) = answer.outputs
    found = list(output.contents.fp64_contents)
    if answer.raw_output_contents:
        assert not output.HasField("contents")
        (raw,) = answer.raw_output_contents
        found = list(memoryview(raw).cast("d"))
    assert (output.name, output.datatype, list(output.shape)) == ("prediction", "FP64", [len(found), 1])
    return found


def test_infer_response_names_the_version_in_its_parameters(client: Client) -> None:
    answer = infer(client, message_of({"id": "a-1", "inputs": [ROWS]}))
    assert isinstance(answer, ModelInferResponse)
    expected = oip.infer(client, {"inputs": [ROWS]})[2]["parameters"]
    assert (answer.model_name, answer.model_version, answer.id) == ("homes", "v1", "a-1")
    assert {name: one.string_param for name, one in answer.parameters.items()} == expected
    assert values(answer) == ANSWER


BODIES = {name: {"inputs": inputs} for name, inputs in ACCEPTED.items()} | {
    name: body for name, (body, _) in REFUSED.items() if isinstance(body, dict)
}


def over_http(client: Client, body: Mapping[str, Any], raw: bool) -> tuple[int, Any]:
    """Status and JSON of the answer of HTTP to the same tensors, flat, or as the bytes after the JSON."""
    tensors, data = [], b""
    for one in body["inputs"]:
        sent = {**one, "data": flat(one["data"])}
        if raw:
            bytes_of_it = packed(sent.pop("data"), one["datatype"])
            data += bytes_of_it
            sent["parameters"] = {**(one.get("parameters") or {}), "binary_data_size": len(bytes_of_it)}
        tensors.append(sent)
    status, _, answer = oip.infer(client, {**body, "inputs": tensors}, data if raw else None)
    return status, answer


@pytest.mark.parametrize("raw", [False, True], ids=["typed", "raw"])
async def test_infer_answers_every_request_as_http_does(client: Client, raw: bool) -> None:
    compared = set()
    for name, body in BODIES.items():
        try:
            message = message_of(body, raw)
        except INEXPRESSIBLE:
            continue
        status, expected = over_http(client, body, raw)
        answer = infer(client, message)
        compared.add(name)
        if status == 200:
            assert values(answer) == expected["outputs"][0]["data"], name
        else:
            assert answer == ("INVALID_ARGUMENT", expected["error"]), name
    assert len(compared) > 40, compared


NUMBERS = st.integers(0, 1) | st.integers(0, 127) | st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(st.sampled_from(sorted(CONTENTS)), st.lists(NUMBERS, max_size=6), st.booleans())
async def test_infer_gives_the_values_of_http_for_any_numbers(datatype: str, numbers: list[float], raw: bool) -> None:
    if datatype == "BOOL":
        numbers = [bool(number) for number in numbers]
    elif not datatype.startswith("FP"):
        numbers = [int(max(0, min(127, number))) for number in numbers]
    else:
        numbers = [float(number) for number in numbers]
    count = len(numbers) // 2
    body = {"inputs": [tensor(numbers[: 2 * count], [count, 2], datatype=datatype)]}
    client = Client(await serving(document()))
    status, expected = over_http(client, body, raw)
    answer = infer(client, message_of(body, raw))
    if status == 200:
        assert values(answer) == expected["outputs"][0]["data"]
    else:
        assert answer == ("INVALID_ARGUMENT", expected["error"])


def test_infer_answers_in_the_form_of_the_request(client: Client) -> None:
    forms = [infer(client, message_of({"inputs": [ROWS]}, raw)) for raw in (False, True)]
    assert [len(one.raw_output_contents) for one in forms if isinstance(one, ModelInferResponse)] == [0, 1]
    wanted = {"outputs": [{"name": "prediction", "parameters": {"binary_data": True}}]}
    other = infer(client, message_of({"inputs": [ROWS], **wanted}))
    assert isinstance(other, ModelInferResponse)
    assert len(other.raw_output_contents) == 1
    assert values(other) == ANSWER


def test_infer_takes_fp16_as_raw_contents_only(client: Client) -> None:
    message = message_of({"inputs": [ROWS | {"datatype": "FP16"}]}, raw=True)
    assert values(infer(client, message)) == ANSWER
    del message.raw_input_contents[:]
    assert infer(client, message) == (
        "INVALID_ARGUMENT",
        "/inputs/0/contents: FP16 has no typed contents; send it by raw_input_contents",
    )


def one_tensor(field: str, numbers: list[Any], datatype: str = "FP64") -> ModelInferRequest:
    message = message_of({"inputs": [tensor([], [1, 2], datatype=datatype)]})
    getattr(message.inputs[0].contents, field).extend(numbers)
    return message


def test_infer_refuses_contents_that_are_not_those_of_the_datatype(client: Client) -> None:
    wrong = ("INVALID_ARGUMENT", "/inputs/0/contents: the elements of FP64 are needed in fp64_contents")
    for field in sorted(set(CONTENTS.values()) - {"fp64_contents"}):
        assert infer(client, one_tensor(field, [1, 0])) == wrong
    both = one_tensor("fp64_contents", [1, 0])
    both.inputs[0].contents.bytes_contents.append(b"x")
    assert infer(client, both) == wrong


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")], ids=str)
@pytest.mark.parametrize("datatype", ["FP32", "FP64"])
def test_infer_refuses_what_is_not_finite(client: Client, datatype: str, number: float) -> None:
    message = one_tensor(CONTENTS[datatype], [1, number], datatype)
    expected = "/inputs/0/data: a finite number is needed, not NaN, an infinity or a number out of range"
    assert infer(client, message) == ("INVALID_ARGUMENT", expected)


def test_infer_refuses_raw_contents_that_do_not_fit_the_inputs(client: Client) -> None:
    message = message_of({"inputs": [ROWS]}, raw=True)
    message.raw_input_contents.append(b"")
    assert infer(client, message) == (
        "INVALID_ARGUMENT",
        "/raw_input_contents: as many elements as there are inputs are needed",
    )
    both = message_of({"inputs": [ROWS]})
    both.raw_input_contents.append(packed([2, 3, 0, 0]))
    assert infer(client, both) == (
        "INVALID_ARGUMENT",
        "/inputs/0/contents: either contents or raw_input_contents is needed",
    )
    assert infer(client, ModelInferRequest(model_name="homes", raw_input_contents=[b""]))[0] == "INVALID_ARGUMENT"


async def test_infer_of_a_version_or_route_that_is_not_there() -> None:
    never = Unavailable("NeverServed", "no version is Ready yet")
    documents = [document(split=[("v2", 0)]), document("never", current=None, versions={}, unavailable=never)]
    client = Client(await serving(*documents))
    message = message_of({"inputs": [ROWS]})
    message.model_version = "v2"
    assert values(infer(client, message)) == [67.0, 1.0]
    message.model_version = "v9"
    assert infer(client, message)[0] == "NOT_FOUND"
    for name in ("", "other"):
        missing = ModelInferRequest(model_name=name)
        text = "no model of this name is loaded here; the name of a model is that of a route"
        assert infer(client, missing) == ("NOT_FOUND", text)
    assert infer(client, ModelInferRequest(model_name="never")) == ("UNAVAILABLE", "no version is Ready yet")


async def test_infer_is_limited_with_http_and_counted_apart() -> None:
    loaded = await serving(document(limit=RateLimit(1.0, 2, "Client")))
    client = Client(loaded)
    message = message_of({"inputs": [ROWS]})
    assert oip.infer(client, {"inputs": [ROWS]})[0] == 200
    assert values(infer(client, message)) == ANSWER
    assert infer(client, message)[0] == "RESOURCE_EXHAUSTED"
    protocols = [series.protocols for _, _, series in loaded.counters.items()]
    assert sum(found.get("grpc", 0) for found in protocols) == 2
    assert sum(found.get("v2", 0) for found in protocols) == 1


async def test_infer_splits_by_the_parameter_key_or_by_the_header_of_the_route() -> None:
    client = Client(await serving(document(split=[("v2", 5000)], header="X-User-Id")))
    for user in map(str, range(20)):
        body = {"inputs": [ROWS], "parameters": {"key": user}}
        version = oip.infer(client, body)[2]["model_version"]
        by_key, by_header = (
            infer(client, message_of(body)),
            infer(client, message_of({"inputs": [ROWS]}), x_user_id=user),
        )
        assert isinstance(by_key, ModelInferResponse)
        assert isinstance(by_header, ModelInferResponse)
        assert (by_key.model_version, by_header.model_version) == (version, version)
        origins = [one.parameters["assignedBy"].string_param for one in (by_key, by_header)]
        assert origins == ["key", "header"]


def test_every_status_of_a_refusal_has_a_code() -> None:
    codes = {status: refusal_of(error_answer(status, "no"))[0] for status, _ in STATUSES.values()}
    assert {codes[status] for status in (400, 413, 415, 422)} == {"INVALID_ARGUMENT"}
    assert (codes[404], codes[429], codes[503], codes[500]) == (
        "NOT_FOUND", "RESOURCE_EXHAUSTED", "UNAVAILABLE", "INTERNAL"
    )  # fmt: skip


def test_text_of_a_status_is_bounded() -> None:
    text = refusal_of(error_answer(404, "é" * 10_000)).message
    assert (len(text), text[-3:]) == (MAX_MESSAGE, "...")
    assert refusal_of(error_answer(404, "é" * MAX_MESSAGE)).message == "é" * MAX_MESSAGE


def test_headers_of_a_body_are_no_metadata() -> None:
    headers = error_answer(429, "no", [(b"retry-after", b"3"), (b"x-request-id", b"a")])[1]
    assert metadata_of(headers) == (("retry-after", "3"), ("x-request-id", "a"))
