"""The OpenAPI document tells what the code does."""

import json

import pytest

from linplane_server.docs import docs_app
from linplane_server.openapi import document
from linplane_server.problems import STATUSES
from linplane_server.public_app import addressed_route
from unit.server.builders import Client, serving
from unit.server.builders import document as routing_document

DOCUMENT = document("1.2.3")
OPERATIONS = [path["post"] for path in DOCUMENT["paths"].values()]


def test_every_status_of_a_prediction_is_documented_with_a_schema() -> None:
    expected = {"200", "400", "404", "405", "408", "413", "414", "415", "422", "429", "431", "503"}
    for operation in OPERATIONS:
        assert set(operation["responses"]) == expected
        assert {str(status) for status, _ in STATUSES.values()} - {"500"} <= expected
        for response in operation["responses"].values():
            assert all("schema" in content for content in response["content"].values())


def test_every_reference_resolves() -> None:
    text = json.dumps(DOCUMENT)
    for name in DOCUMENT["components"]["schemas"]:
        text = text.replace(f'"#/components/schemas/{name}"', "")
    assert "#/components" not in text


async def test_the_examples_are_taken_and_answered_with_the_fields_documented() -> None:
    weights = {"flipper_length_mm": 1.0, "bill_length_mm": 2.0}
    client = Client(await serving(routing_document(versions={"v1": weights})))
    content = OPERATIONS[0]["requestBody"]["content"]["application/json"]
    for name, example in content["examples"].items():
        status, _, body = client.ask(json.dumps(example["value"]).encode())
        assert status == 200
        schema = DOCUMENT["components"]["schemas"]["Predictions" if name == "rows" else "Prediction"]
        assert list(json.loads(body)) == list(schema["properties"]) == schema["required"]


def test_the_application_serves_this_document() -> None:
    assert docs_app().openapi()["paths"] == DOCUMENT["paths"]


PATHS = [
    ("/predict", (True, None)),
    ("/routes/a/predict", (True, "a")),
    ("/routes//predict", (False, "")),
    ("/routes/predict", (False, None)),
    ("/routes/a/b/predict", (False, "a/b")),
    ("/predict/", (False, None)),
    ("/", (False, None)),
    ("/metrics", (False, None)),
]


@pytest.mark.parametrize(("path", "expected"), PATHS)
def test_which_paths_ask_for_a_prediction(path: str, expected: tuple[bool, str | None]) -> None:
    assert addressed_route(path)[0] is expected[0]
    if expected[0]:
        assert addressed_route(path) == expected
