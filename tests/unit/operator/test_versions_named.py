"""Every field of a route that names a version is in the one enumeration, in the document, and in the policy that warns
of a version in use: found by the CRD, so that a field that is added later is found too.
"""

from collections.abc import Sequence
from typing import Any

import cel
import pytest
import yaml

from linplane_api.resources import ModelRouteSpec, parse_spec
from linplane_operator.compile.routing import compile_document, named_versions
from unit.api.crd_walk import CRDS, ROOT, nodes, schema_of
from unit.operator.builders import ready, versions

SPEC = schema_of(CRDS["modelroutes"])["properties"]["spec"]
PATTERN = SPEC["properties"]["version"]["pattern"]
PATHS = [path for path, schema in nodes(SPEC) if schema.get("pattern") == PATTERN]
NAMES = {path: f"v{number}" for number, path in enumerate(PATHS, 1)}


def made() -> dict[str, Any]:
    """A spec with another version in each place that takes one."""
    spec: dict[str, Any] = {"model": "homes"}
    for path, name in NAMES.items():
        place(spec, path, name)
    return spec


def place(part: dict[str, Any], path: Sequence[str], name: str) -> None:
    head, *rest = path
    if not rest:
        part[head] = name
    elif rest[0] == "<items>":
        place(part.setdefault(head, [{"percent": 10}])[0], rest[1:], name)
    else:
        place(part.setdefault(head, {}), rest, name)


def variables() -> dict[str, Any]:
    documents = yaml.safe_load_all((ROOT / "crds" / "policies.yaml").read_text())
    policy = next(body for body in documents if body["metadata"]["name"] == "linplane-version-in-use")
    return {item["name"]: cel.compile(item["expression"]) for item in policy["spec"]["variables"]}


def test_the_crd_has_such_fields() -> None:
    assert [".".join(path) for path in PATHS] == ["version", "split.<items>.version"]


def test_each_is_in_the_enumeration_of_the_spec_and_of_the_document() -> None:
    spec = parse_spec({"spec": made()}, ModelRouteSpec)
    assert set(spec.versions_named()) == set(NAMES.values())
    assert named_versions(spec, None) == set(NAMES.values())
    compiled = compile_document("homes", spec, versions(*(ready(name) for name in NAMES.values())), None, 1)
    assert set(compiled.entry.document.versions_named()) == set(NAMES.values())


def test_those_of_the_document_in_force_are_named_too() -> None:
    spec = parse_spec({"spec": made()}, ModelRouteSpec)
    there = versions(*(ready(name) for name in [*NAMES.values(), "v9"]))
    before = compile_document("homes", spec, there, None, 1).entry.document
    after = parse_spec({"spec": {"model": "homes", "version": "v9"}}, ModelRouteSpec)
    document = compile_document("homes", after, there, before, 1).entry.document
    assert document.versions_named() == ("v9", "v1")
    assert named_versions(after, before) == {"v9", *NAMES.values()}


@pytest.mark.parametrize("name", [*NAMES.values(), "v99"])
def test_deleting_each_warns(name: str) -> None:
    route = {"metadata": {"name": "homes"}, "spec": made()}
    model = {"metadata": {"name": f"homes-{name}"}, "spec": {"model": "homes", "version": name}}
    assert variables()["named"].execute({"params": route, "oldObject": model}) is (name in NAMES.values())
