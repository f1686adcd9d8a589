"""The OpenAPI document agrees with the code."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from fastapi.openapi.models import OpenAPI

from linplane_server.errors import PredictionRefusal
from linplane_server.http.docs import docs_app
from linplane_server.http.public_document import document
from linplane_server.http.public_pages import public_pages
from linplane_server.http.targets import target_paths
from linplane_server.interfaces.pages import Page, Pages
from linplane_server.problems import STATUSES
from linplane_server.settings import Public
from linplane_server.state.snapshot_store import SnapshotStore
from unit.server.builders import Client, refusal_types, serving
from unit.server.builders import document as routing_document
from unit.server.corpus import post
from unit.server.test_targets import FOUND, NOT_FOUND
from unit.server.wire import PUBLIC, Wire


def table(public: Public = PUBLIC) -> list[tuple[Pages, Page]]:
    return public_pages(SnapshotStore(), lambda: None, 1, "1", public).table


DOCUMENT = document("1.2.3", table(), names=True)
PATHS: dict[str, Any] = DOCUMENT["paths"]
OPERATIONS = [PATHS[path]["post"] for path in ("/predict", "/routes/{route}/predict")]


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
    assert docs_app(lambda: DOCUMENT).openapi() == DOCUMENT


def test_openapi_document_is_openapi_3_1() -> None:
    OpenAPI.model_validate(DOCUMENT)
    ids = [operation["operationId"] for path in PATHS.values() for operation in path.values()]
    assert len(set(ids)) == len(ids)
    for path, operations in PATHS.items():
        for operation in operations.values():
            assert [parameter["name"] for parameter in operation["parameters"]] == re.findall(r"{(\w+)}", path)
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def page_paths(public: Public = PUBLIC) -> set[str]:
    return {page.path.rstrip("/") or "/" for _, page in table(public)}


def test_openapi_has_the_paths_of_predictions_and_pages_and_no_others() -> None:
    predictions = {path for path, _ in target_paths()}
    assert set(PATHS) == predictions | page_paths()
    assert predictions & page_paths() == set()


def matches(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path) is not None


def test_openapi_has_every_path_that_a_prediction_may_have() -> None:
    for path, target in FOUND:
        found = [(one, interface) for one, interface in target_paths() if matches(one, path)]
        assert [interface for _, interface in found] == [target.interface]
        assert ("{version}" in found[0][0], "{route}" in found[0][0]) == (bool(target.version), bool(target.route))
    for path in NOT_FOUND:
        assert not [one for one, _ in target_paths() if matches(one, path)]


def test_openapi_has_no_lists_if_names_are_not_public() -> None:
    without = document("1.2.3", table(Public(names=False)), names=False)
    assert set(PATHS) - set(without["paths"]) == {"/v1/models", "/v2/models", "/v2/repository/index"}
    refused = without["paths"]["/predict"]["post"]["responses"]["422"]["content"]["application/problem+json"]
    assert "area" not in refused["examples"]["missing_feature"]["value"]["detail"]


WEIGHTS = {"flipper_length_mm": 1.1, "bill_length_mm": 2.3}


def problems(schema: Any, value: Any) -> list[str]:
    whole = schema | {"components": DOCUMENT["components"]}
    return [error.message for error in jsonschema.Draft202012Validator(whole).iter_errors(value)]


async def ask(path: str, method: str, body: bytes = b"", *fields: bytes) -> tuple[int, str, bytes]:
    """Status, content type and body of the answer of a server with the route of the examples."""
    one = Wire(await serving(routing_document("penguin-mass", versions={"v1": WEIGHTS})), True)
    target = path.format(route="penguin-mass", version="v1").encode()
    data = post(body, *fields, target=target, method=method.upper().encode())
    head, _, content = (await one.send(data.replace(b"Host: homes", b"Host: penguin-mass"))).partition(b"\r\n\r\n")
    kind = re.search(rb"content-type: ([^\r;]+)", head)
    assert kind is not None
    return int(head.split()[1]), kind[1].decode(), content


def examples() -> Iterator[tuple[str, str, Any]]:
    """Path, content type and body of every example of a prediction."""
    for path, operations in PATHS.items():
        for kind, content in operations.get("post", {}).get("requestBody", {}).get("content", {}).items():
            for example in content.get("examples", {}).values():
                yield path, kind, example["value"]


@pytest.mark.parametrize("path", [path for path, _ in target_paths()])
async def test_openapi_examples_of_every_prediction_are_answered(path: str) -> None:
    operation = PATHS[path]["post"]
    found = [(kind, value) for one, kind, value in examples() if one == path]
    assert found
    for kind, value in found:
        assert problems(operation["requestBody"]["content"][kind]["schema"], value) == []
        body = value.encode() if isinstance(value, str) else json.dumps(value).encode()
        status, answered, content = await ask(path, "post", body, f"Content-Type: {kind}".encode())
        assert (status, answered) == (200, "application/json")
        described = operation["responses"]["200"]["content"]
        assert problems(described["application/json"]["schema"], json.loads(content)) == []
        _, answered, content = await ask(path, "post", body, f"Content-Type: {kind}".encode(), b"Accept: text/csv")
        assert answered in described
        assert (answered == "text/csv") is ("text/csv" in described)
        if answered == "text/csv":
            assert content.splitlines()[0].decode() == described[answered]["example"].splitlines()[0]


@pytest.mark.parametrize("path", PATHS)
async def test_openapi_describes_the_answers_of_every_path(path: str) -> None:
    """That of a page, and a refusal."""
    ((method, operation),) = PATHS[path].items()
    responses = operation["responses"]
    if path in page_paths():
        status, kind, content = await ask(path, method)
        described = responses["200"].get("content", {})
        assert status == 200
        assert kind in described or not described
        if described:
            assert problems(described[kind]["schema"], json.loads(content)) == []
    status, kind, content = await ask(path, "put")
    assert status == 405
    refused = responses.get("405") or responses["default"]
    assert problems(refused["content"][kind]["schema"], json.loads(content)) == []
