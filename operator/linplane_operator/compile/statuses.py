"""Typed statuses of our own kinds, as another release may have written them. `conditions` reads their conditions."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TypeVar

import msgspec

from linplane_api.canonical import FormatError, convert
from linplane_api.resources import LinearModelStatus, ModelRouteStatus, ModelServerStatus

S = TypeVar("S", LinearModelStatus, ModelRouteStatus, ModelServerStatus)


def read_status(kind: type[S], status: Mapping[str, Any]) -> S:
    """The status without its conditions, which may be of types of a later release. Raises FormatError if a field has
    another type than in the CRD.
    """
    return convert({key: value for key, value in status.items() if key != "conditions"}, kind, "status")


def readable_status(kind: type[S], status: Mapping[str, Any]) -> S:
    """The same, but a field that cannot be read counts as absent."""
    try:
        return read_status(kind, status)
    except FormatError:
        return _readable(kind, status)


def _readable(kind: type[S], status: Mapping[str, Any]) -> S:
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        with suppress(FormatError):
            one = {field.encode_name: status[field.encode_name]} if field.encode_name in status else {}
            fields[field.name] = getattr(read_status(kind, one), field.name)
    return kind(**fields)
