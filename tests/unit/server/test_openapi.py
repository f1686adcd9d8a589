"""The OpenAPI document agrees with the code."""

import json

import jsonschema

from linplane_server.errors import PredictionRefusal
from linplane_server.http.docs import docs_app
from linplane_server.http.openapi import document
from linplane_server.problems import STATUSES
from unit.server.builders import Client, refusal_types, serving
from unit.server.builders import document as routing_document

DOCUMENT = document("1.2.3")
OPERATIONS = [path["post"] for path in DOCUMENT["paths"].values()]


def test_openapi_documents_every_status_of_a_prediction_with_a_schema() -> None:
    expected = {"200", "400", "404", "405", "408", "413", "414", "415", "422", "429", "431", "503"}
    for operation in OPERATIONS:
        assert set(operation["responses"]) == expected
        refusals = {str(STATUSES[kind][0]) for kind in refusal_types(PredictionRefusal) & set(STATUSES)}
        assert refusals - {"500"} <= expected
        for response in operation["responses"].values():
            assert all("schema" in content for content in response["content"].values())


def test_openapi_references_resolve() -> None:
    text = json.dumps(DOCUMENT)
    for name in DOCUMENT["components"]["schemas"]:
        text = text.replace(f'"#/components/schemas/{name}"', "")
    assert "#/components" not in text


def validator(name: str) -> jsonschema.Draft202012Validator:
    components = DOCUMENT["components"]
    return jsonschema.Draft202012Validator(components["schemas"][name] | {"components": components})


async def test_openapi_examples_are_accepted_and_the_responses_follow_the_schemas() -> None:
    weights = {"flipper_length_mm": 1.1, "bill_length_mm": 2.3}
    versions = {"v1": weights, "v2": weights}
    one = Client(await serving(routing_document(versions=versions)))
    two = Client(await serving(routing_document(versions=versions, split=[("v2", 5000)], header="X-User-Id")))
    content = OPERATIONS[0]["requestBody"]["content"]["application/json"]
    decided = set()
    for name, example in content["examples"].items():
        data = json.dumps(example["value"]).encode()
        assert validator("Request").is_valid(example["value"])
        answer, other = ("Predictions", "Prediction") if name == "rows" else ("Prediction", "Predictions")
        for status, _, body in (one.ask(data), two.ask(data), two.ask(data, x_user_id="u")):
            assert status == 200
            found = json.loads(body)
            schema = DOCUMENT["components"]["schemas"][answer]
            assert list(found) == list(schema["properties"]) == schema["required"]
            assert validator(answer).is_valid(found)
            assert not validator(other).is_valid(found)
            decided.add(found["assignedBy"])
    assert decided == set(DOCUMENT["components"]["schemas"]["Prediction"]["properties"]["assignedBy"]["enum"])


def test_openapi_has_an_example_of_each_refusal_that_follows_the_schema() -> None:
    responses = OPERATIONS[0]["responses"].values()
    contents = [response["content"].get("application/problem+json", {}) for response in responses]
    examples = {kind: example["value"] for content in contents for kind, example in content.get("examples", {}).items()}
    kinds = {refusal.kind for refusal in refusal_types(PredictionRefusal) & set(STATUSES)}
    assert set(examples) == kinds - {"internal"}
    for example in examples.values():
        assert validator("Problem").is_valid(example)
        assert set(example) <= set(DOCUMENT["components"]["schemas"]["Problem"]["properties"])


def test_openapi_document_is_served() -> None:
    assert docs_app().openapi()["paths"] == DOCUMENT["paths"]
