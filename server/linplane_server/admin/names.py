"""The names that a caller may give: checked before they become part of a path or a URL."""

import msgspec

from linplane_api.routing import Label, VersionName


def is_route(text: str) -> bool:
    """Whether this can be the name of a route."""
    return _is(text, Label)


def is_model(text: str) -> bool:
    """Whether this can be the name of a model."""
    return _is(text, Label)


def is_version(text: str) -> bool:
    """Whether this can be a version."""
    return _is(text, VersionName)


def _is(text: str, kind: object) -> bool:
    try:
        msgspec.convert(text, kind)
    except msgspec.ValidationError:
        return False
    return "\n" not in text
