"""Is a child as it should be: pure, by what is asked for. What others add beside it (defaults, their own labels) does
not count; what they add to our lists and selectors, or to what a pod runs, does.
"""

import hashlib
from typing import Any

import msgspec
from kubernetes.utils import parse_quantity

from linplane_api import names

from ..compile.objects import Object, meta

QUANTITIES = ("requests", "limits")
EXACT = ("selector", "labelSelector", "nodeSelector")
"""Maps in which one key more finds fewer pods or nodes, or none."""
POD_ADDITIONS = ("initContainers", "nodeSelector", "tolerations", "affinity", "hostNetwork", "hostAliases")
CONTAINER_ADDITIONS = ("command", "envFrom", "volumeDevices")
"""What no API server adds to a pod or a container of itself, and that changes where or what it runs."""


def stamped(body: Object) -> Object:
    """The child with its hash in an annotation: else a field that is no longer asked for would make no difference."""
    digest = hashlib.sha256(msgspec.json.encode(body, order="sorted")).hexdigest()[:16]
    metadata = meta(body)
    annotations = {**(metadata.get("annotations") or {}), names.ANNOTATION_APPLIED: digest}
    return {**body, "metadata": {**metadata, "annotations": annotations}}


def difference(asked: Object, found: Object) -> Object:
    """The RFC 7386 patch that brings `found` (as the server has it) to hold all of `asked` (stamped), and to hold
    nothing beside it that changes what it means; empty where it does.
    """
    patch: Object = {}
    for key, value in asked.items():
        part = _differs(key, value, found.get(key))
        if part is not _SAME:
            patch[key] = part
    if "containers" in asked:
        patch |= dict.fromkeys(key for key in POD_ADDITIONS if found.get(key) and not asked.get(key))
    if "image" in asked:
        patch |= dict.fromkeys(key for key in CONTAINER_ADDITIONS if found.get(key) and not asked.get(key))
    return patch


def _differs(key: str, asked: Any, found: Any) -> Any:
    """The part of the patch, _SAME where none is needed."""
    if key in EXACT:
        return _merge(asked, found)
    if key in QUANTITIES and isinstance(asked, dict) and isinstance(found, dict):
        return _SAME if all(is_same_quantity(value, found.get(name)) for name, value in asked.items()) else asked
    if isinstance(asked, dict) and isinstance(found, dict):
        return difference(asked, found) or _SAME
    return _SAME if _holds(asked, found) else asked


def is_same_quantity(one: object, other: object) -> bool:
    """An API server writes 0.5 as 500m, and 1024Mi as 1Gi. What is no quantity equals itself alone."""
    try:
        return one == other or parse_quantity(str(one)) == parse_quantity(str(other))  # type: ignore[no-untyped-call]
    except (ValueError, ArithmeticError):
        return False


def _holds(asked: Any, found: Any) -> bool:
    if isinstance(asked, dict):
        return not difference(asked, found) if isinstance(found, dict) else not asked and found is None
    if isinstance(asked, list | tuple):
        if not asked and found is None:
            return True
        return isinstance(found, list) and len(asked) == len(found) and all(map(_holds, asked, found))
    return bool(asked == found) or (asked in ("", None) and found in ("", None))


def merge_patch(asked: Object, seen: Object, fields: tuple[str, ...]) -> Object:
    """The RFC 7386 patch that brings `fields` of `seen` to `asked`; keys that `asked` lacks are removed."""
    patch: Object = {}
    for name in fields:
        part = _merge(asked.get(name), seen.get(name))
        if part is not _SAME:
            patch[name] = part
    return patch


_SAME = object()


def _merge(asked: Any, seen: Any) -> Any:
    if asked == seen:
        return _SAME
    if not (isinstance(asked, dict) and isinstance(seen, dict)):
        return asked
    changed = {key: part for key, value in asked.items() if (part := _merge(value, seen.get(key))) is not _SAME}
    return {**changed, **dict.fromkeys(seen.keys() - asked.keys())}
