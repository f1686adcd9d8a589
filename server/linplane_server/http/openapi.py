"""The parts of OpenAPI documents about predictions by the project's own interface, with a schema and an example for
every status.
"""

from typing import Any

import msgspec

from linplane_api.conditions import Reason
from linplane_api.names import HEADER_DIGEST, HEADER_REQUEST_ID, HEADER_REVISION, HEADER_VERSION

from .. import errors
from ..interfaces.native import Prediction, Predictions
from ..interfaces.native_body import Request
from ..predict.rows import Row
from ..problems import CONTENT_TYPE, STATUSES, Problem, refusal_response

Schema = dict[str, Any]

REF = "#/components/schemas/{name}"
"""Reference to the schema of a type, in the public and the admin document."""

ROUTE = "penguin-mass"
"""The route in examples."""

CSV_ANSWER: Schema = {"text/csv": {"schema": {"type": "string"}, "example": "prediction\n3.5\n"}}
"""The content of a response with a line for each row, if Accept prefers it."""

_REFUSED: tuple[errors.PredictionRefusal, ...] = (
    errors.Malformed("not JSON (line 1, column 14)"),
    errors.RouteNotFound("no such route is loaded here"),
    errors.MethodNotAllowed("predictions are requested by POST"),
    errors.TooLarge("the body is over 1048576 bytes; send fewer rows per request"),
    errors.UnsupportedBody("the body must be JSON: Content-Type application/json"),
    errors.Invalid("/features/area", "a finite number is needed, not a text"),
    errors.MissingFeature(
        "/features/area",
        "version v1 needs the feature area",
        "v1",
        ["area"],
        row="/features",
        nameless="a feature that is needed is not given",
    ),
    errors.RateLimited(1),
    errors.NothingToServe(Reason.CURRENT_FROZEN, "v1 is frozen", "v1"),
    errors.Overloaded(),
)
"""An example of each refusal that a client can cause."""

_MORE_STATUSES = {408: "Did not arrive in time", 414: "Target too long", 431: "Fields too large"}


def ref(kind: type[msgspec.Struct]) -> Schema:
    """Returns a reference to the schema of this type."""
    return {"$ref": REF.format(name=kind.__name__)}


def _header(text: str) -> Schema:
    return {"description": text, "schema": {"type": "string"}}


def _responses(route: str, *, names: bool) -> Schema:
    result: Schema = {
        "200": {
            "description": "Predictions of all rows, by one version",
            "headers": {
                HEADER_VERSION: _header("The version that answered."),
                HEADER_DIGEST: _header("The digest of its artifact."),
                HEADER_REVISION: _header("The revision of the route's document."),
                HEADER_REQUEST_ID: _header("That of the request if it is a short token, else a generated one."),
            },
            "content": {
                "application/json": {
                    "schema": {"oneOf": [ref(Prediction), ref(Predictions)]},
                    "example": {"prediction": 3.5, "version": "v1", "route": route, "assignedBy": "key"},
                },
                **CSV_ANSWER,
            },
        }
    }
    for refusal in _REFUSED:
        status, _, body = refusal_response(errors.shown(refusal, names=names))
        entry = result.setdefault(str(status), _problem_response(STATUSES[type(refusal)][1]))
        entry["content"][CONTENT_TYPE]["examples"][refusal.kind] = {"value": msgspec.json.decode(body)}
    wait = {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}
    result["429"]["headers"] = {"retry-after": wait}
    result["503"]["headers"] = {"retry-after": {**wait, "description": "Seconds, if the server holds too many bodies."}}
    return result | {str(status): _problem_response(title) for status, title in _MORE_STATUSES.items()}


def _problem_response(title: str) -> Schema:
    content = {CONTENT_TYPE: {"schema": ref(Problem), "examples": {}}}
    return {"description": title, "content": content}


EXAMPLES: Schema = {
    "byName": {"value": {"features": {"flipper_length_mm": 200, "bill_length_mm": 45}, "key": "user-42"}},
    "inOrder": {"value": {"features": [200, 45]}},
    "rows": {"value": {"rows": [[200, 45], [181, 39.1]]}},
}


def operation(
    summary: str, parameters: list[Schema], examples: Schema, route: str = ROUTE, *, names: bool = True
) -> Schema:
    """Returns a prediction, by `route` in the example of a response. The document needs the schemas of Request,
    Prediction, Predictions and Problem. `names`: those of versions and features are public.
    """
    return {
        "summary": summary,
        "parameters": parameters,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": ref(Request), "examples": examples}},
        },
        "responses": _responses(route, names=names),
    }


def native_schemas() -> Schema:
    """Returns the schemas that `operation` refers to, and that of a row."""
    types = (Row, Request, Prediction, Predictions, Problem)
    (row, *_), schemas = msgspec.json.schema_components(types, ref_template=REF)
    by_name, in_order = row["anyOf"]
    by_name["additionalProperties"] = in_order["items"] = {"type": ["number", "boolean"]}  # true and false are 1 and 0
    request = schemas["Request"]
    request["properties"]["features"] = request["properties"]["rows"]["items"] = {"$ref": REF.format(name="Row")}
    head = {name: request.pop(name) for name in ("title", "description")}
    either = [_without(request, "rows", "features"), _without(request, "features", "rows")]
    return {"Row": row, **schemas, "Request": {**head, "oneOf": either}}


def _without(schema: Schema, absent: str, required: str) -> Schema:
    properties = {name: value for name, value in schema["properties"].items() if name != absent}
    return {**schema, "properties": properties, "required": [required]}
