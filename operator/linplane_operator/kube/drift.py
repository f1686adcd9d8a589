"""Drift of a child from its desired state; pure. Fields that other clients add (defaults, their own labels) do not
count, unless they are in our lists or selectors or change what a pod runs.
"""

import hashlib
from typing import Any

import msgspec
from kubernetes.utils import parse_quantity

from linplane_api import names

from ..compile.objects import Object, meta

QUANTITIES = ("requests", "limits")
EXACT = ("selector", "labelSelector", "nodeSelector")
"""Maps in which an additional key selects fewer pods or nodes, or none."""
POD_ADDITIONS = ("initContainers", "nodeSelector", "tolerations", "affinity", "hostNetwork", "hostAliases")
CONTAINER_ADDITIONS = ("command", "envFrom", "volumeDevices")
"""Fields that an API server never adds to a pod or container by itself, and that change its node or its processes."""


def stamped(body: Object) -> Object:
    """The child with its hash in an annotation, so that a field removed from the desired state counts as drift."""
    digest = hashlib.sha256(msgspec.json.encode(body, order="sorted")).hexdigest()[:16]
    metadata = meta(body)
    annotations = {**(metadata.get("annotations") or {}), names.ANNOTATION_APPLIED: digest}
    return {**body, "metadata": {**metadata, "annotations": annotations}}


def difference(desired: Object, found: Object) -> Object:
    """The RFC 7386 patch that sets all of `desired` (stamped) in `found` (as the server has it), and removes additions
    that change its meaning; empty if there is no drift.
    """
    patch: Object = {}
    for key, value in desired.items():
        part = _differs(key, value, found.get(key))
        if part is not _SAME:
            patch[key] = part
    if "containers" in desired:
        patch |= dict.fromkeys(key for key in POD_ADDITIONS if found.get(key) and not desired.get(key))
    if "image" in desired:
        patch |= dict.fromkeys(key for key in CONTAINER_ADDITIONS if found.get(key) and not desired.get(key))
    return patch


def _differs(key: str, desired: Any, found: Any) -> Any:
    """The part of the patch, _SAME if none is needed."""
    if key in EXACT:
        return _merge(desired, found)
    if key in QUANTITIES and isinstance(desired, dict) and isinstance(found, dict):
        return _SAME if all(is_same_quantity(value, found.get(name)) for name, value in desired.items()) else desired
    if isinstance(desired, dict) and isinstance(found, dict):
        return difference(desired, found) or _SAME
    return _SAME if _holds(desired, found) else desired


def is_same_quantity(one: object, other: object) -> bool:
    """True for 0.5 and 500m, 1024Mi and 1Gi, which an API server may rewrite. Other texts must be equal."""
    try:
        return one == other or parse_quantity(str(one)) == parse_quantity(str(other))  # type: ignore[no-untyped-call]
    except (ValueError, ArithmeticError):
        return False


def _holds(desired: Any, found: Any) -> bool:
    if isinstance(desired, dict):
        return not difference(desired, found) if isinstance(found, dict) else not desired and found is None
    if isinstance(desired, list | tuple):
        if not desired and found is None:
            return True
        return isinstance(found, list) and len(desired) == len(found) and all(map(_holds, desired, found))
    return bool(desired == found) or (desired in ("", None) and found in ("", None))


def merge_patch(desired: Object, seen: Object, fields: tuple[str, ...]) -> Object:
    """The RFC 7386 patch that sets `fields` of `seen` to those of `desired`; keys that `desired` lacks are removed."""
    patch: Object = {}
    for name in fields:
        part = _merge(desired.get(name), seen.get(name))
        if part is not _SAME:
            patch[name] = part
    return patch


_SAME = object()


def _merge(desired: Any, seen: Any) -> Any:
    if desired == seen:
        return _SAME
    if not (isinstance(desired, dict) and isinstance(seen, dict)):
        return desired
    changed = {key: part for key, value in desired.items() if (part := _merge(value, seen.get(key))) is not _SAME}
    return {**changed, **dict.fromkeys(seen.keys() - desired.keys())}
