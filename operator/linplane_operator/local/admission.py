"""Objects of manifests judged as an API server judges them, and as they are stored then. Pure but for the schemas that
are loaded once.
"""

from linplane_api import names
from linplane_api.kinds import CONFIG_MAP, LINEAR_MODEL, MODEL_ROUTE, Kind
from linplane_api.manifests.validation import load_schemas

from ..compile.objects import Object, meta, name_of
from .configmaps import judge_config_map

_STORED = {"name", "namespace", "labels", "annotations"}


def warm() -> None:
    """Loads what judging needs, which takes a second: in a thread, while the server starts."""
    for kind in (LINEAR_MODEL, MODEL_ROUTE):
        load_schemas().judge({"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "a"}})


def judge(kind: Kind, body: Object, stored: Object | None) -> list[tuple[str, str]]:
    """Fields and what is wrong with them, as a change of what is stored; empty where it is taken."""
    if kind is CONFIG_MAP:
        return judge_config_map(body)
    new = {key: value for key, value in body.items() if key != "status"}
    if stored and "status" in stored:
        new["status"] = stored["status"]
    old = {**stored, "metadata": {"name": name_of(stored)}} if stored else None
    return [(p.field, p.message) for p in load_schemas().judge(new, old)]


def as_stored(kind: Kind, body: Object, manifest: str, before: Object | None) -> Object:
    """The object with defaults, with the file that it comes from, without a status of its own."""
    given = meta(body)
    metadata = {
        "name": name_of(body),
        "labels": given.get("labels") or {},
        "annotations": {**(given.get("annotations") or {}), names.ANNOTATION_MANIFEST: manifest},
    }
    parts = {key: value for key, value in body.items() if key not in ("metadata", "status")}
    if kind is not CONFIG_MAP:
        parts = load_schemas().with_defaults(parts | {"metadata": {"name": name_of(body)}})
    status = {"status": before["status"]} if before and "status" in before else {}
    return {**parts, "metadata": metadata, **status}


def is_simple(body: Object) -> bool:
    """Nothing in it is left out of what is stored."""
    metadata = body.get("metadata")
    if not isinstance(metadata, dict) or not set(metadata) <= _STORED:
        return False
    return all(isinstance(metadata.get(part) or {}, dict) for part in ("labels", "annotations"))


def content(body: Object) -> Object:
    """What people wrote: not the file that it is in, nor what the store adds."""
    labels, annotations = (dict(meta(body).get(part) or {}) for part in ("labels", "annotations"))
    annotations.pop(names.ANNOTATION_MANIFEST, None)
    return {**body, "metadata": {"labels": labels, "annotations": annotations}}
