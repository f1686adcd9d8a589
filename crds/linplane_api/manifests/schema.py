"""The structural half of a CRD outside Kubernetes: validates by its OpenAPI schema, with the API server's messages.

`Structure` turns the schema into JSON Schema (draft 2020-12) once: `x-kubernetes-int-or-string` becomes two types, as
in the API server itself, and fields that are not declared are refused, as by kubectl's strict decoding. Each error has
the message of the API server.
"""

import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..timing import is_rfc3339

Schema = Mapping[str, Any]

SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
_KEYWORDS = [
    *("type", "enum", "pattern", "format", "minLength", "maxLength", "minimum", "maximum", "required"),
    *("minItems", "maxItems", "minProperties", "maxProperties", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"),
]
_LABEL_VALUE = r"^([a-zA-Z0-9]([-._a-zA-Z0-9]*[a-zA-Z0-9])?)?$"
_ANY: Schema = {}
_METADATA: Schema = {
    **dict.fromkeys(("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"), _ANY),
    **dict.fromkeys(("managedFields", "ownerReferences", "resourceVersion", "selfLink", "uid"), _ANY),
    "name": {"type": "string", "minLength": 1, "maxLength": 253, "pattern": SUBDOMAIN},
    "generateName": {"type": "string", "maxLength": 253},
    "namespace": {"type": "string", "maxLength": 63, "pattern": r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"},
    "labels": {
        "type": "object",
        "additionalProperties": {"type": "string", "maxLength": 63, "pattern": _LABEL_VALUE},
    },
    "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
    "finalizers": {"type": "array", "items": {"type": "string"}},
}


@dataclass(frozen=True)
class Problem:
    """An error in an object: `field` is a path such as `spec.split[0].percent`, empty for the object itself."""

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class Structure:
    """One schema, compiled. Validation raises only RecursionError, for an object that contains itself."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._validator = _validator_class()(_json_schema(schema))

    def problems(self, value: Any) -> list[Problem]:
        """The problems, ordered by field; empty if the value is valid."""
        found = [problem for error in self._validator.iter_errors(value) for problem in _worded(error)]
        return sorted(set(found), key=lambda problem: (problem.field, problem.message))

    def completed(self, value: Any) -> Any:
        """A copy as the API server stores it: nulls dropped, defaults filled in, 2.0 as 2 for an integer. A null of an
        unknown field stays, for that is refused.
        """
        return _completed(value, self._schema)


def join(path: Iterable[str | int]) -> str:
    """A path as the API server writes it."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def _json_schema(schema: Schema) -> dict[str, Any]:
    result = {key: schema[key] for key in _KEYWORDS if key in schema}
    if schema.get("x-kubernetes-int-or-string"):
        result["type"] = ["integer", "string"]
    if "items" in schema:
        result["items"] = _json_schema(schema["items"])
    if "properties" in schema:
        properties = {name: _json_schema(child) for name, child in schema["properties"].items()}
        result |= {"properties": properties, "additionalProperties": False}
    elif "additionalProperties" in schema:
        result["additionalProperties"] = _json_schema(schema["additionalProperties"])
    return result


def with_metadata(schema: Schema) -> dict[str, Any]:
    """The schema of a whole object: what every object has is added to the constraints on its name."""
    own = schema["properties"]["metadata"]["properties"]
    metadata = {
        "type": "object",
        "required": ["name"],
        "properties": {**_METADATA, **{name: {**_METADATA[name], **own[name]} for name in own}},
    }
    return {
        **schema,
        "required": ["apiVersion", "kind", "metadata", *schema.get("required", ())],
        "properties": {**schema["properties"], "metadata": metadata},
    }


def _completed(value: Any, schema: Schema) -> Any:
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        rest = schema.get("additionalProperties", _ANY)
        named = {str(name): item for name, item in value.items()}
        is_open = "properties" not in schema
        result = {
            name: _completed(item, properties.get(name, rest))
            for name, item in named.items()
            if item is not None or not (is_open or name in properties)
        }
        for name, child in properties.items():
            if name not in result and "default" in child:
                result[name] = _completed(child["default"], child)
        return result
    if isinstance(value, list):
        return [_completed(item, schema.get("items", _ANY)) for item in value]
    whole = schema.get("type") == "integer" or schema.get("x-kubernetes-int-or-string")
    return int(value) if whole and isinstance(value, float) and value.is_integer() else value


# ---- keywords that JSON Schema has not, or not as Kubernetes has them ----


def _validator_class() -> Any:
    from jsonschema import Draft202012Validator, ValidationError, validators  # noqa: PLC0415 - only needed for validation

    def keyword(check: Callable[[Any, Any, Schema], Iterable[list[int]]]) -> Any:
        def run(_: Any, expected: Any, value: Any, schema: Schema) -> Iterator[Any]:
            return (ValidationError("", path=place) for place in check(expected, value, schema))

        return run

    own = {"pattern": _mismatch, "format": _malformed, "x-kubernetes-list-type": _duplicates}
    names = {name: keyword(check) for name, check in own.items()}
    return validators.extend(Draft202012Validator, names)  # type: ignore[no-untyped-call]


def matches(pattern: str, text: str) -> bool:
    """True if the pattern matches by the rules of RE2: `$` is the end of the text only, classes are ASCII."""
    python = pattern[:-1] + r"\Z" if pattern.endswith("$") else pattern
    return re.search(python, text, re.ASCII) is not None


def _mismatch(pattern: Any, value: Any, _: Schema) -> list[list[int]]:
    return [[]] if isinstance(value, str) and not matches(pattern, value) else []


def _malformed(name: Any, value: Any, _: Schema) -> list[list[int]]:
    check = {"cidr": _is_cidr, "date-time": is_rfc3339}.get(name)  # bounds hold the integers' formats
    return [[]] if check and isinstance(value, str) and not check(value) else []


def _is_cidr(text: str) -> bool:
    """As the API server's parser, which accepts leading zeros; a network's own pattern refuses them."""
    if not matches("^[0-9a-fA-F:.]+/[0-9]+$", text):
        return False
    try:
        ipaddress.ip_interface(re.sub(r"(?<![0-9a-fA-F:])0+(?=[0-9])", "", text))
    except ValueError:
        return False
    return True


def _duplicates(kind: Any, value: Any, schema: Schema) -> Iterator[list[int]]:
    if kind == "atomic" or not isinstance(value, list):
        return
    keys = schema.get("x-kubernetes-list-map-keys", ())
    seen = set()
    for index, item in enumerate(value):
        identity = {key: item.get(key) for key in keys} if kind == "map" and isinstance(item, dict) else item
        text = json.dumps(identity, sort_keys=True, default=str)
        if text in seen:
            yield [index]
        seen.add(text)


# ---- the API server's words ----


def _worded(error: Any) -> Iterator[Problem]:
    path = tuple(error.absolute_path)
    keyword, expected, value = error.validator, error.validator_value, error.instance
    if keyword == "required":
        yield from (Problem(join((*path, name)), "Required value") for name in expected if name not in value)
    elif keyword == "additionalProperties":
        for name in value:
            if name not in error.schema["properties"]:
                yield Problem(join((*path, str(name))), f'unknown field "{join((*path, str(name)))}"')
    elif keyword == "x-kubernetes-list-type":
        item = value[path[-1]]
        keys = error.schema.get("x-kubernetes-list-map-keys")
        yield Problem(
            join(path), f"Duplicate value: {format_value({key: item[key] for key in keys} if keys else item)}"
        )
    elif keyword in _LIMITS:
        yield Problem(join(path), _LIMITS[keyword].format(expected, len(value)))
    elif keyword == "enum":
        yield Problem(
            join(path),
            f"Unsupported value: {format_value(value)}: supported values: {', '.join(map(format_value, expected))}",
        )
    else:
        bad = _type_name(value) if keyword == "type" else value
        if keyword == "pattern" and path == ("metadata", "name"):
            yield Problem("metadata.name", f"Invalid value: {format_value(value)}: {_NAME_RULE}")
            return
        detail = _BODY[keyword].format(
            ",".join(expected) if isinstance(expected, list) else expected, format_value(bad)
        )
        yield Problem(join(path), f"Invalid value: {format_value(bad)}: {join(path) or '<nil>'} in body {detail}")


_NAME_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character"
)
_LIMITS = {
    "maxLength": "Too long: may not be more than {} bytes",
    "maxItems": "Too many: {1}: must have at most {0} items",
    "maxProperties": "Too many: {1}: must have at most {0} items",
}
_BODY = {
    "type": "must be of type {}: {}",
    "format": "must be of type {}: {}",
    "pattern": "should match '{}'",
    "minLength": "should be at least {} chars long",
    "minItems": "should have at least {} items",
    "minProperties": "should have at least {} properties",
    "minimum": "should be greater than or equal to {}",
    "maximum": "should be less than or equal to {}",
}


def format_value(value: Any) -> str:
    """A value as the API server shows it in a message."""
    if isinstance(value, str | bool | int | float):
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False, default=str, separators=(",", ":"))


def _type_name(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object", list: "array"}
    return "null" if value is None else names.get(type(value), type(value).__name__)
