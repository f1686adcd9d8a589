"""`GET /routes/ROUTE` and its OpenAPI document: pure functions of a route. They show names and made-up numbers, and
nothing of the data that a version was trained on.
"""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from ..interfaces.native import Prediction, Predictions
from ..problems import Problem
from ..state.description import Description
from . import openapi
from .openapi import REF, Schema


class Feature(msgspec.Struct, frozen=True):
    """A feature that a request may contain."""

    name: str
    type: Literal["number"] = "number"


class ServedVersion(msgspec.Struct, frozen=True):
    """A version that may answer, with the digest of its artifact."""

    version: str
    digest: str


class Example(msgspec.Struct, frozen=True):
    """The body of a prediction: made-up numbers."""

    features: dict[str, float] | list[float]


class RouteDescription(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A route. `features` are in the order in which the versions declare them; `ordered` is true if an array of numbers
    in this order is accepted as well. `example` can be posted to `/routes/ROUTE/predict` as it is; it is left out
    while no version has weights. `versions` are those that may answer, the current one first. If names are not public,
    `model`, `features` and `versions` are left out, and `example` is an array, or left out if none is accepted.
    """

    route: str
    model: str | UnsetType = UNSET
    features: list[Feature] | UnsetType = UNSET
    ordered: bool
    example: Example | UnsetType = UNSET
    max_body_bytes: int
    versions: list[ServedVersion] | UnsetType = UNSET


def route_description(described: Description, max_body: int) -> RouteDescription:
    """Describes a route. `max_body` is the limit on a request's body, in bytes."""
    public = described.features is not None
    return RouteDescription(
        route=described.route,
        model=UNSET if described.model is None else described.model,
        features=UNSET if described.features is None else [Feature(name) for name in described.features],
        ordered=described.width is not None,
        example=UNSET if described.example is None else Example(described.example),
        max_body_bytes=max_body,
        versions=[ServedVersion(one.name, one.digest) for one in described.versions] if public else UNSET,
    )


def route_document(described: Description, version: str) -> Schema:
    """Returns the OpenAPI document of one route, whose request has a property for each feature, so that the features
    are arguments of a generated client; if names are not public, it has none. `version` is that of the software.
    """
    path = f"/routes/{described.route}/predict"
    what = described.model or "one route"
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Route {described.route}", "version": version, "description": f"Predictions of {what}."},
        "servers": [{"url": "../.."}],  # relative to this document, so that a proxy may add a prefix
        "paths": {
            path: {
                "post": {
                    "operationId": "predict",
                    **openapi.operation(
                        "Predict one row, or several.",
                        [],
                        _examples(described),
                        described.route,
                        names=described.features is not None,
                    ),
                }
            }
        },
        "components": {"schemas": _schemas(described)},
    }


def _examples(described: Description) -> Schema:
    row = described.example
    if row is None:
        return {}
    return {"row": {"value": {"features": row, "key": "user-42"}}, "rows": {"value": {"rows": [row, row]}}}


def _schemas(described: Description) -> Schema:
    types = (Prediction, Predictions, Problem)
    _, schemas = msgspec.json.schema_components(types, ref_template=REF)
    key = {"type": "string", "description": "Identifies the user, for the split of the traffic."}
    reference: Schema = {"$ref": REF.format(name="Features")}
    if described.width is not None:
        reference = {"oneOf": [reference, _in_order(described.width)]}
    rows = {"type": "array", "items": reference, "minItems": 1}
    return {
        **schemas,
        "Features": _features(described),
        "OneRow": _body("features", reference, key),
        "Rows": _body("rows", rows, key),
        "Request": {"oneOf": [{"$ref": REF.format(name=name)} for name in ("OneRow", "Rows")]},
    }


def _features(described: Description) -> Schema:
    schema: Schema = {"type": "object", "description": "Numbers by feature name."}
    if described.features is None:
        return {**schema, "additionalProperties": {"type": "number"}}
    properties = {name: {"type": "number"} for name in described.features}
    return {**schema, "properties": properties, "required": list(described.needed), "additionalProperties": False}


def _in_order(width: int) -> Schema:
    return {
        "type": "array",
        "description": "Numbers in the order of the features.",
        "items": {"type": "number"},
        "minItems": width,
        "maxItems": width,
    }


def _body(field: str, schema: Schema, key: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {field: schema, "key": key},
        "required": [field],
        "additionalProperties": False,
    }
