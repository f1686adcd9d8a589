"""`GET /routes/ROUTE` and its OpenAPI document: pure functions of a route. They show names and made-up numbers, and
nothing of the data that a version was trained on.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from ..interfaces.native import Prediction, Predictions
from ..problems import Problem
from ..state.snapshot import Route
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

    features: dict[str, float]


class RoutePage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A route. `features` are in the order in which the versions declare them; `ordered` is true if an array of numbers
    in this order is accepted as well. `example` can be posted to `/routes/ROUTE/predict` as it is; it is left out
    while no version has weights. `versions` are those
    that may answer, the current one first.
    """

    route: str
    model: str
    features: list[Feature]
    ordered: bool
    example: Example | UnsetType = UNSET
    max_body_bytes: int
    versions: list[ServedVersion]


def route_page(route: Route, max_body: int) -> RoutePage:
    """Describes a route. `max_body` is the limit on a request's body, in bytes."""
    served = [route.versions[name] for name in route.features_by_version if name in route.versions]
    return RoutePage(
        route=route.name,
        model=route.model,
        features=[Feature(name) for name in route.features],
        ordered=route.order is not None,
        example=Example(route.example) if served else UNSET,
        max_body_bytes=max_body,
        versions=[ServedVersion(version.name, version.digest) for version in served],
    )


def route_document(route: Route, version: str) -> Schema:
    """Returns the OpenAPI document of one route, whose request has a property for each feature, so that the features
    are arguments of a generated client. `version` is that of the software.
    """
    path = f"/routes/{route.name}/predict"
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Route {route.name}", "version": version, "description": f"Predictions of {route.model}."},
        "servers": [{"url": "../.."}],  # relative to this document, so that a proxy may add a prefix
        "paths": {
            path: {
                "post": openapi.operation("predict", "Predict one row, or several.", [], _examples(route), route.name)
            }
        },
        "components": {"schemas": _schemas(route)},
    }


def _examples(route: Route) -> Schema:
    row = route.example
    return {"row": {"value": {"features": row, "key": "user-42"}}, "rows": {"value": {"rows": [row, row]}}}


def _schemas(route: Route) -> Schema:
    types = (Prediction, Predictions, Problem)
    _, schemas = msgspec.json.schema_components(types, ref_template=REF)
    features = {
        "type": "object",
        "description": "Numbers by feature name.",
        "properties": {name: {"type": "number"} for name in route.features},
        "required": list(route.example),
        "additionalProperties": False,
    }
    key = {"type": "string", "description": "Identifies the user, for the split of the traffic."}
    reference: Schema = {"$ref": REF.format(name="Features")}
    if route.order is not None:
        reference = {"oneOf": [reference, _in_order(route.order)]}
    rows = {"type": "array", "items": reference, "minItems": 1}
    return {
        **schemas,
        "Features": features,
        "OneRow": _body("features", reference, key),
        "Rows": _body("rows", rows, key),
        "Request": {"oneOf": [{"$ref": REF.format(name=name)} for name in ("OneRow", "Rows")]},
    }


def _in_order(order: Sequence[str]) -> Schema:
    return {
        "type": "array",
        "description": "Numbers in the order of the features.",
        "items": {"type": "number"},
        "minItems": len(order),
        "maxItems": len(order),
    }


def _body(field: str, schema: Schema, key: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {field: schema, "key": key},
        "required": [field],
        "additionalProperties": False,
    }
