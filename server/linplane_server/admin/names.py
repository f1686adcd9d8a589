"""Validates names in admin calls, before they become part of a path or a URL."""

import msgspec

from linplane_api.routing import Label, VersionName


def is_route(text: str) -> bool:
    """Returns True if this is a valid name of a route."""
    return _is(text, Label)


def is_model(text: str) -> bool:
    """Returns True if this is a valid name of a model."""
    return _is(text, Label)


def is_version(text: str) -> bool:
    """Returns True if this is a valid version."""
    return _is(text, VersionName)


def _is(text: str, kind: object) -> bool:
    try:
        msgspec.convert(text, kind)
    except msgspec.ValidationError:
        return False
    return "\n" not in text
