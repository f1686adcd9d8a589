"""Accessors for raw API objects, and the skeleton of a child."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from linplane_api import names
from linplane_api.kinds import Kind

Object = dict[str, Any]


def part(body: Mapping[str, Any], *path: str) -> dict[str, Any]:
    """An object in an object, empty if it is absent or null."""
    found: Any = body
    for name in path:
        found = found.get(name) or {}
    return cast("dict[str, Any]", found)


def items(body: Mapping[str, Any], name: str) -> Sequence[Object]:
    """A list of objects in an object, empty if it is absent or null."""
    return body.get(name) or ()


def meta(body: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata, empty if there is none."""
    return part(body, "metadata")


def name_of(body: Mapping[str, Any]) -> str:
    """metadata.name."""
    return str(meta(body).get("name", ""))


def namespace_of(body: Mapping[str, Any]) -> str:
    """metadata.namespace."""
    return str(meta(body).get("namespace", "default"))


def uid_of(body: Mapping[str, Any]) -> str:
    """metadata.uid."""
    return str(meta(body).get("uid", ""))


def generation_of(body: Mapping[str, Any]) -> int:
    """metadata.generation, 0 if there is none."""
    return int(meta(body).get("generation") or 0)


def created_of(body: Mapping[str, Any]) -> str:
    """metadata.creationTimestamp, empty if it is not set."""
    return str(meta(body).get("creationTimestamp", ""))


def label_of(body: Mapping[str, Any], label: str) -> str:
    """A label's value, empty if there is none."""
    return str(part(body, "metadata", "labels").get(label, ""))


def annotation_of(body: Mapping[str, Any], annotation: str) -> str:
    """An annotation's value, empty if there is none."""
    return str(part(body, "metadata", "annotations").get(annotation, ""))


def is_deleting(body: Mapping[str, Any]) -> bool:
    """metadata.deletionTimestamp is set."""
    return bool(meta(body).get("deletionTimestamp"))


def controller_uid(body: Mapping[str, Any]) -> str:
    """The UID of the controlling owner, empty if there is none."""
    return next((str(owner.get("uid", "")) for owner in owners_of(body) if owner.get("controller")), "")


def owners_of(body: Mapping[str, Any]) -> Sequence[Object]:
    """metadata.ownerReferences."""
    return items(meta(body), "ownerReferences")


def spec_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The spec, empty if there is none."""
    return part(body, "spec")


def data_of(body: Mapping[str, Any] | None) -> dict[str, str]:
    """The texts of a ConfigMap by key; empty if it has none or is not there."""
    return part(body or {}, "data")


def server_of(route: Mapping[str, Any]) -> str:
    """The ModelServer that a route names."""
    return str(spec_of(route).get("serverName") or names.DEFAULT_SERVER)


def has_grpc(server: Mapping[str, Any]) -> bool:
    """Whether the pods of a ModelServer answer by gRPC."""
    return spec_of(server).get("grpc") is not None


def status_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The status, empty if there is none."""
    return part(body, "status")


def child(kind: Kind, name: str, owner: Object, component: str, labels: Mapping[str, str] | None = None) -> Object:
    """A child's apiVersion, kind and metadata: owned and controlled by `owner`, labelled as the field's conventions
    say.
    """
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {
            "name": name,
            "namespace": namespace_of(owner),
            "labels": {
                names.LABEL_NAME: names.APP,
                names.LABEL_INSTANCE: name_of(owner)[:63].rstrip("-._"),
                names.LABEL_COMPONENT: component,
                names.LABEL_MANAGED_BY: names.APP,
                **(labels or {}),
            },
            "ownerReferences": [
                {
                    "apiVersion": owner["apiVersion"],
                    "kind": owner["kind"],
                    "name": name_of(owner),
                    "uid": uid_of(owner),
                    "controller": True,
                    "blockOwnerDeletion": False,
                }
            ],
        },
    }


def with_users(body: Object, labels: Mapping[str, str] | None, annotations: Mapping[str, str] | None) -> Object:
    """A child with a user's labels and annotations added to its own, which win."""
    own = meta(body)
    added = {"labels": {**(labels or {}), **own["labels"]}}
    if annotations:
        added["annotations"] = {**annotations, **part(own, "annotations")}
    return {**body, "metadata": {**own, **added}}
