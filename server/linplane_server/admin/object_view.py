"""Decodes the part of Kubernetes objects that admin calls read."""

from typing import Any

import msgspec

from .backend import Condition, ObjectState


class Metadata(msgspec.Struct, rename="camel"):
    """Metadata of an object."""

    name: str
    generation: int = 0
    uid: str = ""
    resource_version: str = ""
    annotations: dict[str, str] = {}


class Coefficient(msgspec.Struct):
    """An entry of a version's status."""

    feature: str


class Status(msgspec.Struct, rename="camel"):
    """Status of a route or a version."""

    conditions: tuple[Condition, ...] = ()
    observed_generation: int = 0
    coefficients: tuple[Coefficient, ...] = ()
    version: str = ""


class Object(msgspec.Struct):
    """A ModelRoute or a LinearModel."""

    metadata: Metadata
    spec: dict[str, Any]
    status: Status = msgspec.field(default_factory=Status)


def parse_object(data: bytes | bytearray) -> Object:
    """Decodes an object. Raises msgspec.MsgspecError."""
    return msgspec.json.decode(data, type=Object)


def _split(listed: Any) -> tuple[dict[str, Any], ...]:
    return tuple(item for item in listed if isinstance(item, dict)) if isinstance(listed, list) else ()


def state_of(found: Object) -> ObjectState:
    """Converts an object to the form that admin calls read."""
    return ObjectState(
        name=found.metadata.name,
        model=str(found.spec.get("model", "")),
        version=str(found.spec.get("version", "")),
        generation=found.metadata.generation,
        observed=found.status.observed_generation,
        conditions=found.status.conditions,
        split=_split(found.spec.get("split")),
        frozen=found.spec.get("frozen") is True,
        uid=found.metadata.uid,
        resource_version=found.metadata.resource_version,
        features=tuple(coefficient.feature for coefficient in found.status.coefficients),
        in_effect=found.status.version,
    )
