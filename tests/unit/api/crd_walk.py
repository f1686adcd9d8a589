"""Walks a CRD and says what breaks the API conventions; `test_crd_conventions.py` judges the CRDs, and this walk."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
FILES = [path for path in sorted((ROOT / "crds").glob("*.yaml")) if path.name != "policies.yaml"]
CRDS = {path.stem: yaml.safe_load(path.read_text()) for path in FILES}
ALLOWED = {
    *("description", "type", "format", "enum", "pattern", "default", "required", "properties", "additionalProperties"),
    *("items", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "maxProperties"),
    *("x-kubernetes-int-or-string", "x-kubernetes-validations"),
    *("x-kubernetes-list-type", "x-kubernetes-list-map-keys"),
}
INT_FORMATS = {"int32": 1 << 31, "int64": 1 << 63}

Node = tuple[tuple[str, ...], Mapping[str, Any]]


EXACT = (1 << 53) - 1


def schema_of(crd: Mapping[str, Any]) -> Mapping[str, Any]:
    """The one schema of a CRD."""
    (version,) = crd["spec"]["versions"]
    schema: Mapping[str, Any] = version["schema"]["openAPIV3Schema"]
    return schema


def nodes(schema: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[Node]:
    """Every schema within a schema, itself first."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, (*path, name))
    for inner in ("items", "additionalProperties"):
        if inner in schema:
            yield from nodes(schema[inner], (*path, f"<{inner}>"))


def violations(crd: Mapping[str, Any]) -> list[str]:
    """One line for each break of a convention, `path: what`."""
    found: list[str] = []
    for path, schema in nodes(schema_of(crd)):
        checks = (*_shape(path, schema), *_bounds(path, schema), *_description(path, schema), *_rules(schema))
        found.extend(f"{'.'.join(path)}: {what}" for what in checks)
    return found


def _shape(path: tuple[str, ...], schema: Mapping[str, Any]) -> Iterator[str]:
    unknown = set(schema) - ALLOWED
    if unknown:
        yield f"keywords that need a thought: {sorted(unknown)}"
    flexible = schema.get("x-kubernetes-int-or-string")
    if bool(flexible) == ("type" in schema):
        yield "needs a type, or int-or-string instead of one"
    if "properties" in schema and "additionalProperties" in schema:
        yield "properties beside additionalProperties is not structural"
    if schema.get("type") == "object" and not {"properties", "additionalProperties"} & set(schema):
        yield "an object without fields would be pruned empty"
    if schema.get("type") == "number" and "status" not in path[:1]:
        yield "a float outside of status"
    if set(schema.get("required", ())) - set(schema.get("properties", {})):
        yield "a required field that is not declared"
    if "metadata" in path[:1] and len(path) > 1 and path[1] not in ("name", "generateName"):
        yield "metadata may constrain name and generateName alone"
    if path == ("metadata",) and set(schema) != {"type", "properties"}:
        yield "metadata itself may say nothing"


def _bounds(path: tuple[str, ...], schema: Mapping[str, Any]) -> Iterator[str]:
    kind = schema.get("type")
    if (kind == "string" or "x-kubernetes-int-or-string" in schema) and not {"maxLength", "enum"} & set(schema):
        yield "a string without maxLength or enum"
    if kind == "integer":
        limit = INT_FORMATS.get(schema.get("format", ""), 0)
        if schema.get("maximum", 0) > EXACT:
            yield "a bound that a float64 does not hold: an API server keeps bounds as float64"
        if not -limit <= schema.get("minimum", -limit - 1) <= schema.get("maximum", limit) < limit:
            yield "an integer without format, minimum and maximum that agree"
    if kind == "array":
        if not {"maxItems", "x-kubernetes-list-type"} <= set(schema):
            yield "an array without maxItems and list-type"
        if schema.get("x-kubernetes-list-type") == "map":
            keys = set(schema.get("x-kubernetes-list-map-keys", ()))
            if not keys or not keys <= set(schema["items"].get("required", ())):
                yield "a map list without required keys"
    if "additionalProperties" in schema and "maxProperties" not in schema:
        yield "a map without maxProperties"
    pattern = schema.get("pattern", "")
    if re.search(r"\\[dswDSWbBAzZ]|\(\?", pattern) or (pattern and not re.match(r"\^.*\$\Z", pattern)):
        yield "a pattern that Go and Python may read in two ways, or that is not anchored"


def _description(path: tuple[str, ...], schema: Mapping[str, Any]) -> Iterator[str]:
    text = schema.get("description", "")
    if path == ("metadata",):
        return
    if len(text) < 20 or not text.endswith((".", ".)")):
        yield "no description of at least 20 characters that ends as a sentence"
    if "default" in schema and schema["default"] != {} and not re.search(r"\bDefault\b", text):
        yield "a default that the description does not tell"
    optional = path[:1] == ("spec",) and len(path) > 1 and not path[-1].startswith("<") and "default" not in schema
    if optional and not re.search(r"Required|[Uu]nset|Needed|may be empty", text):
        yield "what happens when it is unset is not stated"
    for bound in ("minimum", "maximum", "maxLength", "maxItems", "maxProperties"):
        stated = str(schema.get(bound, "")) in text or bound not in schema
        if path[:1] == ("spec",) and not stated and "x-kubernetes-int-or-string" not in schema:
            stated = schema.get("pattern", "").startswith("^sha256") or schema.get("maxItems") == 2
            if not stated:
                yield f"{bound} is not stated"


def _rules(schema: Mapping[str, Any]) -> Iterator[str]:
    for rule in schema.get("x-kubernetes-validations", ()):
        if set(rule) - {"rule", "message", "messageExpression", "fieldPath"} or len(rule.get("message", "")) < 20:
            yield "a rule without a message, or with more than rule, message, messageExpression and fieldPath"
        if re.search(r"\.\?|hasValue|optional|quantity|isURL|\bcidr\(|\bip\(|\.sum\(|\.find|\.isSorted", rule["rule"]):
            yield f"a rule that only Kubernetes runs: {rule['rule']}"
        if re.search(r"\bsize\(self\.[a-zA-Z]+\.", rule["rule"]):
            yield "a rule on the length of a text, which other libraries count in bytes"
        place: Mapping[str, Any] | None = schema
        for name in rule.get("fieldPath", "").split(".")[1:]:
            place = (place or {}).get("properties", {}).get(name)
        if place is None:
            yield f"fieldPath {rule['fieldPath']} leads nowhere"
        names_all = all(name in rule["message"] for name in re.findall(r"\bself\.([a-zA-Z]+)", rule["rule"]))
        if len(schema.get("properties", ())) > 4 and not rule.get("fieldPath") and not names_all:
            yield "a rule on many fields that names none"
