"""The CRDs and their typed form say the same: fields, requirements, defaults, choices and bounds, both ways."""

from typing import Any, Literal

import msgspec
import pytest
from msgspec import inspect

from linplane_api import conditions, resources
from linplane_api.manifests.schema import matches
from linplane_api.manifests.validation import load_schemas
from linplane_api.report import MAX_LISTED, Report

SCHEMAS = load_schemas()
PARTS = {
    ("LinearModel", "spec"): resources.LinearModelSpec,
    ("LinearModel", "status"): resources.LinearModelStatus,
    ("ModelRoute", "spec"): resources.ModelRouteSpec,
    ("ModelRoute", "status"): resources.ModelRouteStatus,
    ("ModelServer", "spec"): resources.ModelServerSpec,
    ("ModelServer", "status"): resources.ModelServerStatus,
    ("ReplicaReport", "report"): Report,
}
# defaults that are not persisted: absent is their meaning
NOT_PERSISTED = {"spec.frozen", "spec.split", "report.rejectedCount", "report.rejected", "report.formats"}
BOUNDS = {"ge": "minimum", "le": "maximum"}
LENGTHS: dict[Any, dict[str, str]] = {
    inspect.StrType: {"min_length": "minLength", "max_length": "maxLength"},
    inspect.VarTupleType: {"min_length": "minItems", "max_length": "maxItems"},
    inspect.DictType: {"min_length": "minProperties", "max_length": "maxProperties"},
    inspect.IntType: BOUNDS,
}
JSON_TYPES: dict[Any, str] = {
    inspect.StrType: "string",
    inspect.EnumType: "string",
    inspect.LiteralType: "string",
    inspect.IntType: "integer",
    inspect.FloatType: "number",
    inspect.BoolType: "boolean",
    inspect.VarTupleType: "array",
    inspect.DictType: "object",
    inspect.StructType: "object",
}


@pytest.mark.parametrize(("kind", "part"), PARTS)
def test_typed_form_is_that_of_the_crd(kind: str, part: str) -> None:
    schema = SCHEMAS.schema(kind)["properties"][part]
    assert differences(inspect.type_info(PARTS[kind, part]), schema, part) == []


def test_kind_has_no_other_parts() -> None:
    for kind in {kind for kind, _ in PARTS}:
        parts = {part for name, part in PARTS if name == kind}
        assert set(SCHEMAS.schema(kind)["properties"]) == {"apiVersion", "kind", "metadata"} | parts


def test_report_lists_as_many_as_the_crd_allows() -> None:
    rejected = SCHEMAS.schema("ReplicaReport")["properties"]["report"]["properties"]["rejected"]
    assert rejected["maxItems"] == MAX_LISTED


@pytest.mark.parametrize("change", ["field", "default", "bound", "enum", "required"])
def test_walk_finds_a_difference(change: str) -> None:
    class Small(msgspec.Struct, rename="camel"):
        model_name: str
        seed_value: int = 3
        per: Literal["Client", "Route"] | None = None

    schema: dict[str, Any] = {
        "type": "object",
        "required": ["modelName"],
        "properties": {
            "modelName": {"type": "string"},
            "seedValue": {"type": "integer", "default": 3},
            "per": {"type": "string", "enum": ["Client", "Route"]},
        },
    }
    assert differences(inspect.type_info(Small), schema, "spec") == []
    properties = schema["properties"]
    match change:
        case "field":
            properties["more"] = {"type": "boolean"}
        case "default":
            properties["seedValue"]["default"] = 4
        case "bound":
            properties["seedValue"]["maximum"] = 4
        case "enum":
            properties["per"]["enum"].append("Nobody")
        case "required":
            schema["required"] = []
    assert len(differences(inspect.type_info(Small), schema, "spec")) == 1


def differences(kind: Any, schema: Any, path: str) -> list[str]:
    """One line for each thing that the type and the schema do not agree on."""
    kind = _without_none(kind)
    if isinstance(kind, inspect.UnionType):
        flexible = {type(t) for t in kind.types} == {inspect.IntType, inspect.StrType}
        return [] if flexible and schema.get("x-kubernetes-int-or-string") else [f"{path}: int-or-string"]
    if JSON_TYPES[type(kind)] != schema.get("type"):
        return [f"{path}: {type(kind).__name__} is {schema.get('type')}"]
    found = _bounds(kind, schema, path)
    if isinstance(kind, inspect.StructType):
        found += _fields(kind, schema, path)
    elif isinstance(kind, inspect.VarTupleType):
        found += differences(kind.item_type, schema["items"], f"{path}[]")
    elif isinstance(kind, inspect.DictType):
        found += differences(kind.value_type, schema["additionalProperties"], f"{path}{{}}")
    elif isinstance(kind, inspect.LiteralType) and set(kind.values) != set(schema.get("enum", ())):
        found.append(f"{path}: choices {kind.values}")
    return found


def _without_none(kind: Any) -> Any:
    if isinstance(kind, inspect.Metadata):
        return _without_none(kind.type)
    if isinstance(kind, inspect.UnionType) and kind.includes_none:
        rest = [t for t in kind.types if not isinstance(t, inspect.NoneType)]
        return _without_none(rest[0]) if len(rest) == 1 else inspect.UnionType(tuple(rest))
    return kind


def _bounds(kind: Any, schema: Any, path: str) -> list[str]:
    """A spec's bounds agree both ways; those of a status are only in the schema, if the type has none."""
    found = []
    for own, theirs in LENGTHS.get(type(kind), {}).items():
        bound = getattr(kind, own)
        if bound != schema.get(theirs) and (bound is not None or path.startswith("spec")):
            if isinstance(kind, inspect.StrType) and "format" in schema and bound is None:
                continue
            found.append(f"{path}: {own} {bound}, {theirs} {schema.get(theirs)}")
    pattern = getattr(kind, "pattern", None)
    if pattern and pattern.replace(r"\Z", "$") != schema.get("pattern"):
        found.append(f"{path}: pattern {pattern}")
    return found


def _fields(kind: inspect.StructType, schema: Any, path: str) -> list[str]:
    properties, fields = schema["properties"], {field.encode_name: field for field in kind.fields}
    if set(properties) != set(fields):
        return [f"{path}: fields {sorted(set(properties) ^ set(fields))}"]
    found = []
    judged = kind.cls is not conditions.Condition  # a Condition is made before it has a time
    if judged and {name for name, field in fields.items() if field.required} != set(schema.get("required", ())):
        found.append(f"{path}: required {schema.get('required')}")
    for name, field in fields.items():
        place = f"{path}.{name}"
        default = None if field.default is msgspec.NODEFAULT else field.default
        expected = properties[name].get("default") if place not in NOT_PERSISTED else default
        if judged and default != expected:
            found.append(f"{place}: default {default!r}, {expected!r}")
        found += differences(field.type, properties[name], place)
    return found


@pytest.mark.parametrize("words", [conditions.ConditionType, conditions.Reason])
def test_conditions_and_reasons_are_accepted_by_the_crd(words: Any) -> None:
    items = SCHEMAS.schema("ModelRoute")["properties"]["status"]["properties"]["conditions"]["items"]["properties"]
    field = "type" if words is conditions.ConditionType else "reason"
    assert all(msgspec.json.decode(msgspec.json.encode(word)) == str(word) for word in words)
    assert all(matches(items[field]["pattern"], str(word)) for word in words)
