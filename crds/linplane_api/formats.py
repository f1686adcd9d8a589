"""The format that a document needs for its content.

A reader ignores fields that it does not know. So a field that names a version, and any other whose stale value could
make an answer wrong, belongs to a format, and a document that uses it is of that format at least. Fields that name a
version are found by their type, `VersionName`: one that is in no format yet needs a format that no release reads, so
such a document is not written at all.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import msgspec
import msgspec.inspect

ITEMS, KEYS, VALUES = "<items>", "<keys>", "<values>"
"""Steps of a path, as in `split.<items>.version`: any item of an array, any key or any value of a map."""


@cache
def paths_of(kind: type[msgspec.Struct], pattern: str) -> tuple[str, ...]:
    """The paths, by names of Python, of all texts of that pattern in a struct."""
    return tuple(".".join(path) for path in _paths(msgspec.inspect.type_info(kind), pattern, ()))


def _paths(info: msgspec.inspect.Type, pattern: str, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(info, msgspec.inspect.StrType) and info.pattern == pattern:
        yield path
    for part in getattr(info, "types", ()):  # of a union
        yield from _paths(part, pattern, path)
    for field in getattr(info, "fields", ()):
        yield from _paths(field.type, pattern, (*path, field.name))
    for attribute, step in (("type", None), ("item_type", ITEMS), ("key_type", KEYS), ("value_type", VALUES)):
        if hasattr(info, attribute):
            yield from _paths(getattr(info, attribute), pattern, (*path, step) if step else path)


def format_needed(document: msgspec.Struct, formats: Mapping[str, int]) -> int:
    """The highest format of the paths that are set in the document, at least 1. `formats` has the format of each path
    that is in one later than the first.
    """
    needed = (number for path, number in formats.items() if _is_set(document, path.split(".")))
    return max(needed, default=1)


def _is_set(value: Any, path: list[str]) -> bool:
    if not path or value is None or value is msgspec.UNSET:
        return value is not None and value is not msgspec.UNSET
    step, *rest = path
    if step in (ITEMS, KEYS):
        return any(_is_set(item, rest) for item in value)
    if step == VALUES:
        return any(_is_set(item, rest) for item in value.values())
    return _is_set(getattr(value, step), rest)
