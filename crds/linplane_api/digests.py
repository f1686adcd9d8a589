"""The form in which a struct is hashed, named or compared as text: a field that is added later changes no digest while
it has its default.

Otherwise an upgrade would change the recipe of every trained version. `RELEASED` are the fields of the first release,
by struct; nothing is ever added to it. These digests and names are made from structs, and each has golden vectors in
tests/unit/operator/digest_vectors.json: a version's recipe, and with it the names of its result, Job and copied
weights; the settings of a Job; the users' settings of a pod; a Job's task. Artifacts and routing documents are not
among them: they are hashed as they are written, without optional fields that are unset (`canonical.json_of`).
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import msgspec
import msgspec.inspect

RELEASED = {
    "ClaimRef": "claim_name path",
    "ConfigMapKeyRef": "name key",
    "Data": "synthetic config_map_key_ref uri persistent_volume_claim",
    "FileData": "path",
    "ImagePullSecret": "name",
    "JobSettings": "backoff_limit active_deadline_seconds",
    "PodSettings": "resources node_selector tolerations image_pull_secrets priority_class_name labels annotations",
    "ResourceRequirements": "requests limits",
    "Synthetic": "samples feature_count noise",
    "SyntheticData": "samples feature_count noise",
    "Task": "model version data features target fit_intercept ridge holdout_percent seed",
    "Toleration": "key operator value effect toleration_seconds",
    "TrainingSpec": "data features target fit_intercept ridge holdout_percent seed job",
    "UriData": "uri allowed_hosts denied_addresses allow_file",
    "Weights": "config_map_key_ref digest",
}


def stable_form(value: Any) -> Any:
    """The value as plain JSON, as `msgspec.to_builtins` gives it, without each field that is not in `RELEASED` and has
    its default, and without each such field whose object is empty thereby.
    """
    if isinstance(value, msgspec.Struct):
        return _struct(value) if _has_grown(type(value)) else msgspec.to_builtins(value)
    if isinstance(value, dict):
        return {key: item if type(item) in _LEAVES else stable_form(item) for key, item in value.items()}
    if isinstance(value, list | tuple) and not _LEAVES.issuperset(map(type, value)):
        return [stable_form(item) for item in value]
    return msgspec.to_builtins(value)


_LEAVES = frozenset((str, int, float, bool, type(None)))


def _struct(value: msgspec.Struct) -> dict[str, Any]:
    config = value.__struct_config__
    result: dict[str, Any] = {config.tag_field: config.tag} if config.tag_field else {}
    for field in _fields(type(value)):
        item = getattr(value, field.name)
        if not field.always and item == field.default():
            continue
        form = item if type(item) in _LEAVES else stable_form(item)
        if field.always or form != {} or not isinstance(item, msgspec.Struct):
            result[field.encoded] = form
    return result


@cache
def _has_grown(kind: type[msgspec.Struct]) -> bool:
    """A struct in it has a field of a later release: while none has, msgspec's own way is ten times faster."""
    return any(not field.always for one in structs_of(kind) for field in _fields(one))


def structs_of(kind: type) -> Iterator[type[msgspec.Struct]]:
    """Every struct that a type is declared to hold, itself among them."""
    return _structs(msgspec.inspect.type_info(kind))


def _structs(info: msgspec.inspect.Type) -> Iterator[type[msgspec.Struct]]:
    if isinstance(info, msgspec.inspect.StructType):
        yield info.cls
    parts = [field.type for field in getattr(info, "fields", ())]
    parts += [*getattr(info, "types", ()), *getattr(info, "item_types", ())]
    parts += [getattr(info, name) for name in ("type", "item_type", "value_type") if hasattr(info, name)]
    for part in parts:
        yield from _structs(part)


class _Field(NamedTuple):
    """One field of a struct. `always`: it is in the form at its default too."""

    name: str
    encoded: str
    always: bool
    factory: Any

    def default(self) -> Any:
        return self.factory()


@cache
def _fields(kind: type[msgspec.Struct]) -> tuple[_Field, ...]:
    released = {name for one in kind.__mro__ for name in RELEASED.get(one.__name__, "").split()}
    return tuple(
        _Field(field.name, field.encode_name, field.required or field.name in released, _factory(field))
        for field in msgspec.structs.fields(kind)
    )


def _factory(field: msgspec.structs.FieldInfo) -> Any:
    return field.default_factory if field.default_factory is not msgspec.NODEFAULT else lambda: field.default
