"""Digests and names that are made from structs survive growth: those of the first release never change, and a field
that is added later changes none while it has its default.
"""

import json
from collections.abc import Callable
from functools import reduce
from operator import or_
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import pytest

from linplane_api.artifact import Artifact, parse_artifact
from linplane_api.canonical import convert
from linplane_api.digests import RELEASED, structs_of
from linplane_api.names import ANNOTATION_APPLIED as ANNOTATION
from linplane_api.resources import LinearModelSpec, ModelServerSpec
from linplane_api.routing import RouteDocument, make_entry, parse_entry
from linplane_api.task import Task
from linplane_operator.compile.artifacts import artifact_name
from linplane_operator.compile.data_sources import plan_data
from linplane_operator.compile.server import make_deployment
from linplane_operator.compile.settings import Settings
from linplane_operator.compile.training import job_annotations, make_job, recipe, result_name
from linplane_operator.kube.drift import stamped

VECTORS: dict[str, list[dict[str, Any]]] = json.loads(Path(__file__).with_name("digest_vectors.json").read_text())
OWNER = {
    "apiVersion": "linplane.dev/v1alpha1",
    "kind": "LinearModel",
    "metadata": {"name": "homes-v1", "namespace": "default", "uid": "0b6ff2a4-0d3f-4b53-a9a3-2f2f8a8b6f0e"},
}
SERVER = {**OWNER, "kind": "ModelServer", "metadata": {**OWNER["metadata"], "name": "default"}}
SETTINGS = Settings(allowed_hosts=("data.example",))
SYNTHETIC = {"data": {"synthetic": {"samples": 50}}}
DIGEST = "sha256:" + "4f" * 32


def _job(spec: LinearModelSpec) -> dict[str, Any]:
    return make_job(OWNER, spec, plan_data(spec, SETTINGS, None), SETTINGS)


def _pod(body: dict[str, Any]) -> dict[str, Any]:
    """The users' settings of a pod: the rest is the operator's own, and may change with a release."""
    spec = body["spec"]["template"]["spec"]
    placed = {
        key: spec[key] for key in sorted(spec) if key not in ("containers", "volumes", "topologySpreadConstraints")
    }
    return {**placed, "resources": spec["containers"][0]["resources"], **body["spec"]["template"]["metadata"]}


DIGESTS: dict[str, tuple[type[msgspec.Struct], Callable[[Any], object]]] = {
    "recipe": (LinearModelSpec, recipe),
    "name of result and Job": (LinearModelSpec, lambda spec: result_name(OWNER, spec)),
    "name of copied weights": (LinearModelSpec, lambda spec: artifact_name(OWNER, spec, DIGEST)),
    "settings of a Job": (LinearModelSpec, lambda spec: job_annotations(spec, "")),
    "digest of an artifact": (Artifact, lambda artifact: artifact.digest),
    "file of an artifact": (Artifact, lambda artifact: artifact.to_file("2026-03-01T11:00:00Z").decode()),
    "revision of a document": (RouteDocument, lambda document: make_entry(document).revision),
    "entry of a document": (RouteDocument, lambda document: make_entry(document, 7).to_bytes().decode()),
    "task of a Job": (Task, lambda task: task.to_text()),
    "pod of a Job": (LinearModelSpec, lambda spec: stamped(_pod(_job(spec)))["metadata"]["annotations"][ANNOTATION]),
    "pod of a Deployment": (
        ModelServerSpec,
        lambda spec: stamped(_pod(make_deployment(SERVER, spec, SETTINGS)))["metadata"]["annotations"][ANNOTATION],
    ),
}
"""Every digest, name or hashed text that is made from a struct, by what it is made from."""

AS_WRITTEN = (Artifact, RouteDocument)
"""These are hashed as they are written: an optional field that is unset is not in them, an empty object is."""


def _cases() -> list[Any]:
    return [pytest.param(name, case, id=f"{name} {n}") for name in DIGESTS for n, case in enumerate(VECTORS[name])]


def test_digests_each_have_vectors() -> None:
    assert {name for name in VECTORS if not name.endswith("with nulls")} == DIGESTS.keys()


@pytest.mark.parametrize(("name", "case"), _cases())
def test_digests_of_the_first_release_never_change(name: str, case: dict[str, Any]) -> None:
    kind, made = DIGESTS[name]
    assert made(convert(case["of"], kind, "")) == case["is"]


class Sub(msgspec.Struct, frozen=True, rename="camel"):
    """A part of a later release."""

    keep_sums: bool = False
    places: tuple[str, ...] = ()


class Other(msgspec.Struct, frozen=True):
    """Another."""


LATER: list[tuple[str, Any, Any]] = [
    ("keep_sums", bool, False),
    ("noise_model", str, "normal"),
    ("limit", int | None, None),
    ("extra_names", tuple[str, ...], ()),
    ("sub", Sub, Sub()),
    ("other", Sub | None, None),
]


def _grown(kind: Any) -> Any:
    """The same type with the fields of a later release in each struct, at every depth."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        hints = get_type_hints(kind, include_extras=True)
        fields = [(f.name, _grown(hints[f.name]), _default(f)) for f in msgspec.structs.fields(kind)]
        return msgspec.defstruct(kind.__name__, [*fields, *LATER], bases=(kind,), frozen=True, kw_only=True)
    origin, arguments = get_origin(kind), get_args(kind)
    if not arguments or origin is Literal:
        return kind
    if origin is Annotated:
        return Annotated[(_grown(arguments[0]), *arguments[1:])]
    parts = tuple(argument if argument is ... else _grown(argument) for argument in arguments)
    return reduce(or_, parts) if origin is UnionType else origin[parts]


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return msgspec.field(default=field.default, default_factory=field.default_factory, name=field.encode_name)


def _written_out(value: Any) -> Any:
    """The same value with an object that holds nothing but defaults in each struct."""
    if isinstance(value, msgspec.Struct):
        parts = {name: _written_out(getattr(value, name)) for name in value.__struct_fields__}
        return type(value)(**parts if isinstance(value, Sub) else {**parts, "other": Sub()})
    if isinstance(value, dict):
        return {key: _written_out(item) for key, item in value.items()}
    return tuple(map(_written_out, value)) if isinstance(value, tuple) else value


@pytest.mark.parametrize(("name", "case"), _cases())
def test_digests_ignore_a_later_field_at_its_default(name: str, case: dict[str, Any]) -> None:
    """At any depth, and also an object that is empty without such fields."""
    kind, made = DIGESTS[name]
    grown = convert(case["of"], _grown(kind), "")
    assert made(grown) == case["is"]
    if kind not in AS_WRITTEN:
        assert made(_written_out(grown)) == case["is"]


def test_digest_includes_a_later_field_at_another_value() -> None:
    grown = convert({"model": "homes", "version": "v1", "training": SYNTHETIC}, _grown(LinearModelSpec), "")
    other = msgspec.structs.replace(grown, training=msgspec.structs.replace(grown.training, sub=Sub(keep_sums=True)))
    assert recipe(other) != recipe(grown)


@pytest.mark.parametrize("kind", AS_WRITTEN)
def test_optional_part_is_left_out_whichever_object_its_default_is(kind: type[msgspec.Struct]) -> None:
    """msgspec compares a value with its default by identity, which is equality for these."""
    fields = [field for one in structs_of(kind) for field in msgspec.structs.fields(one)]
    assert {repr(f.default) for f in fields if f.default is not msgspec.NODEFAULT} == {"None", "()", "1"}
    assert all(field.default_factory is msgspec.NODEFAULT for field in fields)


@pytest.mark.parametrize(
    ("name", "read"), [("file of an artifact", parse_artifact), ("entry of a document", parse_entry)]
)
def test_files_that_were_written_are_read_with_their_digest(name: str, read: Callable[[str], Any]) -> None:
    """Includes the files and entries of the commits that wrote an unset field as null."""
    for case in [*VECTORS[name], *VECTORS[f"{name}, with nulls"]]:
        found, body = read(case["is"]), json.loads(case["is"])
        assert getattr(found, key := "digest" if "digest" in body else "revision") == body[key]


class Described(msgspec.Struct):
    """Its struct is in what msgspec calls metadata."""

    one: Annotated[Sub, msgspec.Meta(description="a part")]
    more: tuple[Annotated[Other, msgspec.Meta(description="others")], ...] = ()


def test_struct_with_a_description_is_found() -> None:
    assert set(structs_of(Described)) == {Described, Other, Sub}


def test_table_names_fields_that_there_are() -> None:
    """Each struct of a digest is in it, with all of its fields of the first release."""
    held = [one for kind, _ in DIGESTS.values() if kind not in AS_WRITTEN for one in structs_of(kind)]
    found = {base.__name__: base for one in held for base in one.__mro__ if issubclass(base, msgspec.Struct)}
    for name, fields in RELEASED.items():
        assert set(fields.split()) <= set(found[name].__struct_fields__), name
