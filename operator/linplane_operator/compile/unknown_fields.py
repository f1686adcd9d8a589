"""Fields of a status that a newer operator has written and this one doesn't know: they stay as they are.

Otherwise two operators of different versions would take turns in adding and removing it, and a write by the older would
delete facts that only the new one can find out.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
import msgspec.inspect
from msgspec.inspect import Metadata, StructType, Type, UnionType, VarTupleType

from linplane_api.conditions import Condition, ConditionType
from linplane_api.kinds import LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, Kind
from linplane_api.resources import LinearModelStatus, ModelRouteStatus, ModelServerStatus

from .objects import Object

STATUSES: dict[Kind, Type] = {
    kind: msgspec.inspect.type_info(struct)
    for kind, struct in (
        (LINEAR_MODEL, LinearModelStatus),
        (MODEL_ROUTE, ModelRouteStatus),
        (MODEL_SERVER, ModelServerStatus),
    )
}


_KNOWN = frozenset(map(str, ConditionType))


def with_unknown(kind: Kind, status: Object, before: Mapping[str, Any]) -> Object:
    """The status with the unknown parts of `before`: fields at any depth, and types of conditions.

    In a list a field stays with the item that is otherwise the same.
    """
    merged: Object = _merged(STATUSES[kind], status, before)
    return merged


def _merged(kind: Type, new: Any, old: Any) -> Any:
    kind = _bare(kind)
    if isinstance(kind, StructType) and isinstance(new, dict) and isinstance(old, Mapping):
        known = {field.encode_name: field.type for field in kind.fields}
        kept = {key: value for key, value in old.items() if key not in known}
        return {**{k: _merged(known[k], v, old.get(k)) if k in known else v for k, v in new.items()}, **kept}
    if isinstance(kind, VarTupleType) and isinstance(new, list) and isinstance(old, list):
        item = _bare(kind.item_type)
        if isinstance(item, StructType):
            return _items(item, new, old)
    return new


def _items(kind: StructType, new: list[Any], old: list[Any]) -> list[Any]:
    fields = {field.encode_name for field in kind.fields}
    if kind.cls is Condition:
        return _conditions(kind, new, old)
    left = [item for item in old if isinstance(item, Mapping) and not item.keys() <= fields]
    result = []
    for item in new:
        same = next((o for o in left if {k: v for k, v in o.items() if k in fields} == item), None)
        result.append(item if same is None else _merged(kind, item, same))
    return result


def _conditions(kind: StructType, new: list[Any], old: list[Any]) -> list[Any]:
    before = {item.get("type"): item for item in old if isinstance(item, Mapping)}
    present = {item["type"] for item in new}
    return [
        *(_merged(kind, item, before.get(item["type"])) for item in new),
        *(item for name, item in before.items() if name not in _KNOWN and name not in present),
    ]


def _bare(kind: Type) -> Type:
    if isinstance(kind, Metadata):
        return _bare(kind.type)
    if isinstance(kind, UnionType):
        return next((_bare(t) for t in kind.types if not isinstance(t, msgspec.inspect.NoneType)), kind)
    return kind
