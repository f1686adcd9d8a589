"""The OpenAPI document of the public port: every prediction and every page, but not the documentation itself.

Paths, answers and errors are those of `targets` and of the tables of pages, and schemas are made of the types that
encode and decode. The bodies of V1 and MLflow, which have no type, are described here.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ..interfaces.json_answers import PredictionList, Refused
from ..interfaces.mlflow import MLFLOW, MLflowError
from ..interfaces.native import NATIVE
from ..interfaces.pages import Page, Pages
from ..interfaces.v1 import V1_PROTOCOL
from ..interfaces.v2.infer import INFERENCE
from ..interfaces.v2.messages import InferenceRequest, InferenceResponse
from ..predict.interface import Interface
from ..problems import CONTENT_TYPE, Problem
from .openapi import CSV_ANSWER, EXAMPLES, REF, ROUTE, Schema, native_schemas, operation, ref
from .targets import target_paths

JSON = "application/json"
BINARY = "application/octet-stream"

PARAMETERS: Mapping[str, Schema] = {
    name: {"name": name, "in": "path", "required": True, "schema": {"type": "string"}, "example": example}
    for name, example in (("route", ROUTE), ("version", "v1"))
}

_ROW: Schema = {"$ref": REF.format(name="Row")}
_ROWS: Schema = {"type": "array", "items": _ROW, "minItems": 1}
_NUMBER: Schema = {"type": ["number", "boolean"]}
_KEY: Schema = {"type": "string", "description": "Identifies the user, for the split of the traffic."}

V1_REQUEST: Schema = {
    "type": "object",
    "properties": {"instances": _ROWS, "inputs": _ROWS, "key": _KEY},
    "oneOf": [{"required": ["instances"]}, {"required": ["inputs"]}],
}
_RECORDS: Schema = {"type": "array", "items": {"type": "object"}, "minItems": 1}
_SPLIT: Schema = {
    "type": "object",
    "properties": {
        "columns": {"type": "array", "items": {"type": "string"}},
        "data": {"type": "array", "items": {"type": "array"}, "minItems": 1},
    },
    "required": ["columns", "data"],
}
_FORMS: Schema = {
    "dataframe_split": _SPLIT,
    "dataframe_records": _RECORDS,
    "instances": _RECORDS,
    "inputs": {"oneOf": [_RECORDS, {"type": "object"}]},
}
MLFLOW_REQUEST: Schema = {
    "type": "object",
    "properties": {**_FORMS, "params": {"type": "object", "properties": {"key": _KEY}}},
    "oneOf": [{"required": [form]} for form in _FORMS],
}
_TENSOR = {"name": "features", "shape": [1, 2], "datatype": "FP64", "data": [200, 45]}


def document(version: str, table: Sequence[tuple[Pages, Page]], *, names: bool) -> Schema:
    """Returns the document; `version` is that of the software, `table` the pages that are there. `names`: those of
    routes, versions and features are public.
    """
    paths: dict[str, Schema] = {}
    for path, interface in target_paths():
        paths[path] = {"post": {**_identity("post", path), **_prediction(path, interface, names=names)}}
    schemas = _schemas([kind for _, page in table for kind in (page.returns, page.takes) if kind is not None])
    for pages, page in table:
        if page.path == "/" or not page.path.endswith("/"):  # else the same page has another path
            method = page.methods[0].lower()
            paths[page.path] = {method: {**_identity(method, page.path), **_page(page, pages.refused)}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Linplane", "version": version, "description": "Predictions of linear models."},
        "servers": [{"url": "."}],  # relative to this document, so that a proxy may add a prefix
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _identity(method: str, path: str) -> Schema:
    """Returns a name for the method of a generated client: `postV1ModelsRoutePredict`."""
    words = re.findall(r"[A-Za-z0-9]+", path) or ["root"]
    return {"operationId": method + "".join(word[0].upper() + word[1:] for word in words)}


def _parameters(path: str) -> list[Schema]:
    return [PARAMETERS[name] for name in re.findall(r"\{(\w+)\}", path)]


def _prediction(path: str, interface: Interface, *, names: bool) -> Schema:
    where = "the route named" if "{route}" in path else "the route that is the first label of Host"
    parameters = _parameters(path)
    if interface is NATIVE:
        return operation(f"Predict by {where}.", parameters, EXAMPLES, names=names)
    summary, request, response, refused = _OTHERS[interface.protocol]
    return {
        "summary": f"{summary} by {where}.",
        "parameters": parameters,
        "requestBody": {"required": True, "content": request},
        "responses": {"200": {"description": "Predictions", "content": response}, "default": _refused(refused)},
    }


def _content(schema: Schema, *examples: Any) -> Schema:
    return {"schema": schema, "examples": {f"{i}": {"value": value} for i, value in enumerate(examples, 1)}}


_PREDICTIONS = {JSON: {"schema": ref(PredictionList)}}
_OTHERS: Mapping[str, tuple[str, Schema, Schema, type[msgspec.Struct]]] = {
    V1_PROTOCOL.protocol: (
        "Predict as KServe's V1 protocol does,",
        {
            JSON: _content(
                V1_REQUEST,
                {"instances": [[200, 45]], "key": "user-42"},
                {"inputs": [{"flipper_length_mm": 200, "bill_length_mm": 45}]},
            )
        },
        _PREDICTIONS,
        Refused,
    ),
    MLFLOW.protocol: (
        "Predict as MLflow does,",
        {
            JSON: _content(
                MLFLOW_REQUEST,
                {"dataframe_split": {"columns": ["flipper_length_mm", "bill_length_mm"], "data": [[200, 45]]}},
                {"dataframe_records": [{"flipper_length_mm": 200, "bill_length_mm": 45}], "params": {"key": "user-42"}},
                {"inputs": {"flipper_length_mm": [200], "bill_length_mm": [45]}},
            ),
            "text/csv": _content({"type": "string"}, "flipper_length_mm,bill_length_mm\n200,45\n"),
        },
        _PREDICTIONS | CSV_ANSWER,
        MLflowError,
    ),
    INFERENCE.protocol: (
        "Predict as the Open Inference Protocol does,",
        {
            JSON: _content(ref(InferenceRequest), {"inputs": [_TENSOR], "parameters": {"key": "user-42"}}),
            BINARY: {},
        },
        {JSON: {"schema": ref(InferenceResponse)}, BINARY: {}},
        Refused,
    ),
}
"""By the protocol's label: what it does, the contents of request and response, and the type of an error."""


def _page(page: Page, refused: type[msgspec.Struct]) -> Schema:
    content = {} if page.returns is None else {"content": {JSON: {"schema": _reference(page.returns)}}}
    result: Schema = {
        "summary": page.summary,
        "parameters": _parameters(page.path),
        "responses": {"200": {"description": "OK", **content}, "default": _refused(refused)},
    }
    if page.takes is not None:
        result["requestBody"] = {"content": {JSON: {"schema": ref(page.takes)}}}
    return result


def _refused(refused: type[msgspec.Struct]) -> Schema:
    kind = CONTENT_TYPE if refused is Problem else JSON
    return {"description": "Refused", "content": {kind: {"schema": ref(refused)}}}


def _reference(kind: Any) -> Schema:
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=REF)
    return schema


def _schemas(page_types: Sequence[Any]) -> Schema:
    types = [*page_types, PredictionList, Refused, MLflowError, InferenceRequest, InferenceResponse]
    _, schemas = msgspec.json.schema_components(types, ref_template=REF)
    return {**schemas, **native_schemas()}
