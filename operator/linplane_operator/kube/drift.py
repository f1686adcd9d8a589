"""Is a child as it should be: pure, by what is asked for. What others add beside it (defaults, their own keys) does
not count.
"""

import hashlib
from typing import Any

import msgspec

from linplane_api.kinds import CONFIG_MAP

from ..compile.objects import Object, meta
from .quantity import is_same

QUANTITIES = ("requests", "limits")
ANNOTATION = "linplane.dev/applied"
"""The hash of what was applied last: tells that something is asked for no longer."""


def stamped(body: Object) -> Object:
    """The child with its hash in an annotation."""
    digest = hashlib.sha256(msgspec.json.encode(body, order="sorted")).hexdigest()[:16]
    metadata = meta(body)
    annotations = {**(metadata.get("annotations") or {}), ANNOTATION: digest}
    return {**body, "metadata": {**metadata, "annotations": annotations}}


def is_as_asked(asked: Object, found: Object) -> bool:
    """`found` (as the server has it) holds all of `asked` (stamped); a ConfigMap's data holds nothing else."""
    if asked.get("kind") == CONFIG_MAP.kind and (asked.get("data") or {}) != (found.get("data") or {}):
        return False
    return _holds(asked, found)


def _holds(asked: Any, found: Any) -> bool:
    if isinstance(asked, dict):
        if not isinstance(found, dict):
            return not asked and found is None
        return all(_part_holds(key, value, found.get(key)) for key, value in asked.items())
    if isinstance(asked, list | tuple):
        if not asked and found is None:
            return True
        return isinstance(found, list) and len(asked) == len(found) and all(map(_holds, asked, found))
    return bool(asked == found) or (asked in ("", None) and found in ("", None))


def _part_holds(key: str, asked: Any, found: Any) -> bool:
    if key in QUANTITIES and isinstance(asked, dict) and isinstance(found, dict):
        return all(is_same(value, found.get(name)) for name, value in asked.items())
    return _holds(asked, found)


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
