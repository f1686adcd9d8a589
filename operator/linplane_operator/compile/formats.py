"""Formats of routing documents: entries that a later release wrote, and replicas that do not read what this one writes.

A document whose format this operator does not read stays in force as it is, and no document is written that a ready
replica would not read: traffic stays as it was, and the route says FormatNotSupported.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from linplane_api.canonical import FormatError, FormatNotSupportedError
from linplane_api.document import FORMAT, Entry, parse_entry

from .replicas import Replica
from .routing import Wanted


@dataclass(frozen=True)
class Unread:
    """An entry of a format that this operator does not read. `model` is empty if not even that can be read."""

    model: str
    problem: str


class _Document(msgspec.Struct):
    model: str


class _Entry(msgspec.Struct):
    document: _Document


def read_entry(text: str) -> Entry | Unread | None:
    """One route's key as it is in force; None if it is damaged."""
    try:
        return parse_entry(text)
    except FormatNotSupportedError as error:
        return Unread(model_of(text), f"the document in force stays as it is: {error}")
    except FormatError:
        return None


def model_of(text: Any) -> str:
    """The model of a route's entry, of any format; empty if it cannot be read."""
    try:
        return msgspec.json.decode(text, type=_Entry).document.model
    except (msgspec.DecodeError, TypeError):
        return ""


def unsupported(replicas: Iterable[Replica]) -> str:
    """Which ready replica does not read what this operator writes; empty if each that has reported does."""
    for replica in replicas:
        report = replica.report
        if replica.ready and not replica.terminating and report and FORMAT not in report.formats:
            read = " and ".join(map(str, report.formats)) or "none"
            return (
                f"{replica.name} does not read documents of format {FORMAT}, which this operator writes (it reads: "
                f"{read}); traffic stays as it is until every ready replica does"
            )
    return ""


def held_back(
    wanted: Mapping[str, Wanted],
    entries: Mapping[str, Entry],
    unread: Mapping[str, Unread],
    replicas: Iterable[Replica],
) -> set[str]:
    """The routes whose key stays as it is, or is not written yet, because of a format."""
    lagging = bool(unsupported(replicas))
    return {
        name
        for name, want in wanted.items()
        if name in unread or (lagging and (name not in entries or entries[name].revision != want.entry.revision))
    }
