"""Every field of a route that names a version is in the one enumeration, in the document, and in the policy that warns
of a version in use: found by the CRD, so that a field that is added later is found too. Every field of the document
that names a version belongs to a format.
"""

from collections.abc import Sequence
from typing import Any

import cel
import msgspec
import pytest
import yaml

from linplane_api import routing
from linplane_api.canonical import FormatNotSupportedError
from linplane_api.formats import paths_of
from linplane_api.resources import ModelRouteSpec, parse_spec
from linplane_api.routing import (
    VERSION_PATTERN,
    Candidate,
    RouteDocument,
    ServedVersion,
    VersionName,
    format_of,
    make_entry,
    parse_entry,
)
from linplane_operator.compile.routing import compile_document, named_versions
from unit.api.crd_walk import CRDS, ROOT, nodes, schema_of
from unit.api.examples import document as example
from unit.operator.builders import ready, versions

SPEC = schema_of(CRDS["modelroutes"])["properties"]["spec"]
PATTERN = SPEC["properties"]["version"]["pattern"]
PATHS = [path for path, schema in nodes(SPEC) if schema.get("pattern") == PATTERN]
NAMES = {path: f"v{number}" for number, path in enumerate(PATHS, 1)}


def spec_naming_versions() -> dict[str, Any]:
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


def test_version_fields_of_the_crd_are_found() -> None:
    assert [".".join(path) for path in PATHS] == ["version", "split.<items>.version"]


def test_versions_named_by_the_spec_are_in_its_enumeration_and_in_the_documents() -> None:
    spec = parse_spec({"spec": spec_naming_versions()}, ModelRouteSpec)
    assert set(spec.versions_named()) == set(NAMES.values())
    assert named_versions(spec, None) == set(NAMES.values())
    compiled = compile_document("homes", spec, versions(*(ready(name) for name in NAMES.values())), None, 1)
    document = compiled.entry.document
    assert set(document.versions_named()) == set(NAMES.values())
    assert set(document.versions) == set(document.features_by_version) == set(NAMES.values()), "servers compute it"


def test_versions_named_by_the_document_in_force_count_too() -> None:
    spec = parse_spec({"spec": spec_naming_versions()}, ModelRouteSpec)
    there = versions(*(ready(name) for name in [*NAMES.values(), "v9"]))
    before = compile_document("homes", spec, there, None, 1).entry.document
    after = parse_spec({"spec": {"model": "homes", "version": "v9"}}, ModelRouteSpec)
    document = compile_document("homes", after, there, before, 1).entry.document
    assert document.versions_named() == ("v9", "v1")
    assert named_versions(after, before) == {"v9", *NAMES.values()}


@pytest.mark.parametrize("name", [*NAMES.values(), "v99"])
def test_policy_warns_of_deleting_each_version_in_use(name: str) -> None:
    route = {"metadata": {"name": "homes"}, "spec": spec_naming_versions()}
    model = {"metadata": {"name": f"homes-{name}"}, "spec": {"model": "homes", "version": name}}
    assert variables()["named"].execute({"params": route, "oldObject": model}) is (name in NAMES.values())


class ShadowDocument(RouteDocument, frozen=True):
    """A version that gets a copy of the requests, as a later release may have it."""

    shadow: VersionName | None = None


class Mirrored(Candidate, frozen=True):
    """The same for one candidate."""

    mirror: VersionName | None = None


class MirrorDocument(RouteDocument, frozen=True):
    """The field is in a part of the document."""

    mirrored: tuple[Mirrored, ...] = ()


class Rebased(ServedVersion, frozen=True):
    """Weights that are the difference to those of another version."""

    base: VersionName | None = None


class RebasedDocument(RouteDocument, frozen=True):
    """The field is in the values of a map."""

    rebased: dict[str, Rebased] | None = None


class ListDocument(RouteDocument, frozen=True):
    """The field is an array."""

    fallbacks: tuple[VersionName, ...] = ()


SHADOW = {"shadow": "v7"}
PLANTED: list[tuple[type[RouteDocument], dict[str, Any], set[str]]] = [
    (ShadowDocument, SHADOW, {"shadow"}),
    (ListDocument, {"fallbacks": ("v7",)}, {"fallbacks.<items>"}),
    (
        MirrorDocument,
        {"mirrored": (Mirrored("v8", 1, "v7"),)},
        {"mirrored.<items>.mirror", "mirrored.<items>.version"},
    ),
    (
        RebasedDocument,
        {"rebased": {"x": msgspec.convert(example().versions["v1"], Rebased, from_attributes=True)}},
        {"rebased.<values>.base"},
    ),
]


def extended_document(kind: type[RouteDocument], **fields: Any) -> RouteDocument:
    return kind(**msgspec.structs.asdict(example()), **fields)


def test_version_paths_of_the_document_each_have_a_format() -> None:
    paths = {"current", "previous", "split.<items>.version", "versions.<keys>", "features_by_version.<keys>"}
    assert set(paths_of(RouteDocument, VERSION_PATTERN)) == paths
    first = {path for path, number in routing.PATH_FORMATS.items() if number == 1}
    assert first == paths, "the first format is closed: a further path belongs to the next number of FORMATS"
    assert format_of(example()) == 1


@pytest.mark.parametrize(("kind", "fields", "paths"), PLANTED)
def test_version_path_that_has_no_format_raises_the_documents(
    kind: type[RouteDocument], fields: dict[str, Any], paths: set[str]
) -> None:
    assert set(paths_of(kind, VERSION_PATTERN)) - set(paths_of(RouteDocument, VERSION_PATTERN)) == paths
    if kind is RebasedDocument:
        rebased = {"x": msgspec.structs.replace(fields["rebased"]["x"], base="v7")}
        assert format_of(extended_document(kind, **fields)) == 1
        fields = {"rebased": rebased}
    assert format_of(extended_document(kind)) == 1
    assert format_of(extended_document(kind, **fields)) > max(routing.FORMATS)
    with pytest.raises(FormatNotSupportedError):
        make_entry(extended_document(kind, **fields))


def test_version_path_of_a_later_format_is_written_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the field is unset the document stays in the first format, so that older readers read it."""
    first = make_entry(example()).to_bytes()
    monkeypatch.setattr(routing, "FORMATS", (1, 2))
    monkeypatch.setitem(routing.PATH_FORMATS, "shadow", 2)
    entry = make_entry(extended_document(ShadowDocument, **SHADOW))
    assert (entry.document.format, entry.body["format"], entry.body["shadow"]) == (2, 2, "v7")
    assert make_entry(extended_document(ShadowDocument)).to_bytes() == first
    assert make_entry(msgspec.structs.replace(entry.document, shadow=None)).body["format"] == 1
    monkeypatch.setattr(routing, "FORMATS", (1,))
    with pytest.raises(FormatNotSupportedError, match="document: format 2 is not supported; this release reads 1"):
        parse_entry(entry.to_bytes())


def test_format_of_another_kind_of_field_is_raised_by_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stale rate limit, say, could not be served by."""
    monkeypatch.setitem(routing.PATH_FORMATS, "rate_limit.requests_per_second", 2)
    assert format_of(example()) == 2
    assert format_of(msgspec.structs.replace(example(), rate_limit=None)) == 1


def test_document_of_an_unknown_format_cannot_be_made() -> None:
    with pytest.raises(FormatNotSupportedError, match="format 2 is not supported"):
        msgspec.structs.replace(example(), format=2)
