"""Formats of routing documents: entries that a later release wrote, and replicas that do not read what this one writes.

A document whose format this operator does not read stays in force as it is, and no document is written that a ready
replica would not read: traffic stays as it was, and the route says FormatNotSupported.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from linplane_api.canonical import FormatError, FormatNotSupportedError
from linplane_api.routing import Entry, parse_entry

from .acknowledgements import Replica
from .routing_map import Wanted

FIRST = (1,)
"""The formats that a server reads that does not report any."""


@dataclass(frozen=True)
class Unread:
    """An entry of a format that this operator does not read. `model` and `sequence` are empty and 0 if not even these
    can be read.
    """

    model: str
    sequence: int
    problem: str


class _Document(msgspec.Struct):
    model: str = ""


class _Entry(msgspec.Struct):
    document: _Document
    sequence: int = 0


def read_entry(text: str) -> Entry | Unread | None:
    """One route's key as it is in force; None if it is damaged."""
    try:
        return parse_entry(text)
    except FormatNotSupportedError as error:
        entry = _envelope(text)
        return Unread(entry.document.model, entry.sequence, f"the document in force stays as it is: {error}")
    except FormatError:
        return None


def model_of(text: Any) -> str:
    """The model of a route's entry, of any format; empty if it cannot be read."""
    return _envelope(text).document.model


def _envelope(text: Any) -> _Entry:
    try:
        return msgspec.json.decode(text, type=_Entry)
    except (msgspec.DecodeError, RecursionError, TypeError):
        return _Entry(_Document())


def unsupported(replicas: Iterable[Replica], version: int) -> str:
    """Which ready replica does not read documents of a format; empty if each does. One that has not reported reads the
    first.
    """
    for replica in replicas:
        formats = replica.report.formats if replica.report else FIRST
        if replica.ready and not replica.terminating and version not in formats:
            read = " and ".join(map(str, formats)) or "none"
            return (
                f"{replica.name} does not read documents of format {version}, which this operator writes (it reads: "
                f"{read}); traffic stays as it is until every ready replica does"
            )
    return ""


def held_back(
    wanted: Mapping[str, Wanted],
    entries: Mapping[str, Entry],
    unread: Mapping[str, Unread],
    replicas: Sequence[Replica],
) -> set[str]:
    """The routes whose key stays as it is, or is not written yet, because of a format."""

    def is_held(name: str, entry: Entry) -> bool:
        if name in unread and unread[name].model in ("", entry.document.model):
            return True
        is_changed = name not in entries or entries[name].revision != entry.revision
        return is_changed and bool(unsupported(replicas, entry.document.format))

    return {name for name, want in wanted.items() if is_held(name, want.entry)}
