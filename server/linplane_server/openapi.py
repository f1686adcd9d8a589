"""The OpenAPI document of the public API: every status that a prediction can have, with schemas and examples."""

from typing import Any

from linplane_api.names import HEADER_DIGEST, HEADER_REQUEST_ID, HEADER_REVISION, HEADER_VERSION

from .problems import CONTENT_TYPE, STATUSES, TYPE_PREFIX
from .registry import ASSIGNED_BY

Schema = dict[str, Any]

_ROW: Schema = {
    "oneOf": [
        {
            "type": "object",
            "additionalProperties": {"type": "number"},
            "description": "Numbers by feature name, in any order.",
        },
        {
            "type": "array",
            "items": {"type": "number"},
            "description": "Numbers in the order of the features, where all versions of the route agree on one.",
        },
    ]
}
_KEY: Schema = {"type": "string", "description": "Who the user is, for the split of the traffic."}

_REQUEST: Schema = {
    "oneOf": [
        {
            "type": "object",
            "required": ["features"],
            "additionalProperties": False,
            "properties": {"features": {"$ref": "#/components/schemas/Row"}, "key": _KEY},
        },
        {
            "type": "object",
            "required": ["rows"],
            "additionalProperties": False,
            "properties": {
                "rows": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Row"}},
                "key": _KEY,
            },
        },
    ]
}

_COMMON: Schema = {
    "version": {"type": "string", "description": "The version that answered."},
    "route": {"type": "string"},
    "assignedBy": {
        "enum": list(ASSIGNED_BY),
        "description": "What decided for this version: the request's key, the header, the feature values, or nothing, "
        "for all traffic is the current version's.",
    },
}


def _answer(name: str, value: Schema) -> Schema:
    properties = {name: value, **_COMMON}
    return {"type": "object", "required": list(properties), "properties": properties}


PROBLEM: Schema = {
    "type": "object",
    "description": "RFC 9457.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {
            "type": "string",
            "description": "For people; of what was sent it holds only names of unknown features.",
        },
        "pointer": {"type": "string", "description": "The place in the body (RFC 6901), with 422."},
        "version": {"type": "string", "description": "The version that would have answered, once it was chosen."},
        "reason": {
            "type": "string",
            "description": "One word: why nothing is served, or an admin call refused.",
        },
        "requestId": {"type": "string"},
    },
}

_EXAMPLES: dict[str, str] = {
    "malformed": "not JSON (line 1, column 14)",
    "not_found": "no such route is loaded here",
    "method": "predictions are asked for by POST",
    "too_large": "the body is over 65536 bytes; send fewer rows a request",
    "media_type": "the body must be JSON: Content-Type application/json",
    "invalid": "a finite number is needed, not a text",
    "missing_feature": "version v1 needs the feature area",
    "rate_limited": "the rate limit of this route is used up; try again later",
    "unavailable": "v1 is frozen",
}

_MORE_STATUSES = {408: "Did not arrive in time", 414: "Target too long", 431: "Fields too large"}


def _header(text: str) -> Schema:
    return {"description": text, "schema": {"type": "string"}}


def _responses() -> Schema:
    result: Schema = {
        "200": {
            "description": "Predicted, all rows by one version",
            "headers": {
                HEADER_VERSION: _header("The version that answered."),
                HEADER_DIGEST: _header("The digest of its artifact."),
                HEADER_REVISION: _header("The revision of the route's document."),
                HEADER_REQUEST_ID: _header("Your own where it is a short token, else ours."),
            },
            "content": {
                "application/json": {
                    "schema": {
                        "oneOf": [
                            {"$ref": "#/components/schemas/Prediction"},
                            {"$ref": "#/components/schemas/Predictions"},
                        ]
                    },
                    "example": {"prediction": 3.5, "version": "v1", "route": "penguin-mass", "assignedBy": "key"},
                }
            },
        }
    }
    for kind, (status, title) in STATUSES.items():
        if status < 500 or kind == "unavailable":
            entry = result.setdefault(str(status), _problem_response(title))
            example = {
                "type": TYPE_PREFIX + kind.replace("_", "-"),
                "title": title,
                "status": status,
                "detail": _EXAMPLES[kind],
            }
            entry["content"][CONTENT_TYPE]["examples"][kind] = {"value": example}
    result["429"]["headers"] = {"retry-after": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}}
    return result | {str(status): _problem_response(title) for status, title in _MORE_STATUSES.items()}


def _problem_response(title: str) -> Schema:
    content = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}}
    return {"description": title, "content": content}


def _operation(name: str, summary: str, parameters: list[Schema]) -> Schema:
    examples = {
        "byName": {"value": {"features": {"flipper_length_mm": 200, "bill_length_mm": 45}, "key": "user-42"}},
        "inOrder": {"value": {"features": [200, 45]}},
        "rows": {"value": {"rows": [[200, 45], [181, 39.1]]}},
    }
    return {
        "operationId": name,
        "summary": summary,
        "parameters": parameters,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Request"}, "examples": examples}},
        },
        "responses": _responses(),
    }


def document(version: str) -> Schema:
    """The document; `version` is that of the software."""
    route = {"name": "route", "in": "path", "required": True, "schema": {"type": "string"}, "example": "penguin-mass"}
    number: Schema = {"type": "number"}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Linplane", "version": version, "description": "Predictions of linear models."},
        "paths": {
            "/predict": {"post": _operation("predict", "Predict; the route is the first label of Host.", [])},
            "/routes/{route}/predict": {"post": _operation("predictByRoute", "Predict by the route named.", [route])},
        },
        "components": {
            "schemas": {
                "Row": _ROW,
                "Request": _REQUEST,
                "Prediction": _answer("prediction", number),
                "Predictions": _answer("predictions", {"type": "array", "items": number}),
                "Problem": PROBLEM,
            }
        },
    }
