"""A routing ConfigMap as it was last seen: its entries, and which routes have which versions in their documents."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from linplane_api import names
from linplane_api.canonical import FormatError
from linplane_api.routing import Entry, RoutingMap, routing_map

from .formats import Unread, read_entry
from .observed import ConfigMap


@dataclass(frozen=True)
class Routing:
    """A routing ConfigMap as it was last seen, with its entries parsed; damaged ones are left out. `unread`: those of a
    format that this operator does not read.
    """

    config_map: ConfigMap
    state: RoutingMap
    entries: dict[str, Entry]
    unread: dict[str, Unread]

    def found(self, route: str) -> Entry | Unread | None:
        """The entry under a route's key; None if it is damaged, or there is none."""
        return self.entries.get(route) or self.unread.get(route)

    def serving(self, model: str, version: str) -> Sequence[str]:
        """The routes whose traffic a version takes part in."""
        return self._serving.get((model, version), ())

    @cached_property
    def _serving(self) -> dict[tuple[str, str], list[str]]:
        result: dict[tuple[str, str], list[str]] = {}
        for name, entry in self.entries.items():
            for version, _ in entry.document.traffic():
                if version in entry.document.versions:
                    result.setdefault((entry.document.model, version), []).append(name)
        return result

    def holding(self, model: str, version: str) -> list[str]:
        """The routes whose document has the weights of a version."""
        return [name for name in self.by_model.get(model, ()) if version in self.entries[name].document.versions]

    def unread_of(self, route: str, model: str) -> Unread | None:
        """The entry of a route that cannot be read, unless it is of another model: of an earlier route of that name."""
        found = self.unread.get(route)
        return found if found and found.model in ("", model) else None

    @cached_property
    def by_model(self) -> dict[str, list[str]]:
        """The routes of each model."""
        result: dict[str, list[str]] = {}
        for name, entry in self.entries.items():
            result.setdefault(entry.document.model, []).append(name)
        return result


def read_routing(body: ConfigMap, known: Routing | None) -> Routing:
    """A routing ConfigMap. `known`: as it was read before, from which entries are taken whose text is the same."""
    data = body.data
    entries: dict[str, Entry] = {}
    unread: dict[str, Unread] = {}
    routes = routing_map(body.uid, {**data, names.SEQUENCE_KEY: "0"}).routes
    for name, text in routes.items():
        is_same = known is not None and known.state.routes.get(name) == text
        found = known.found(name) if known and is_same else read_entry(text)
        if isinstance(found, Entry):
            entries[name] = found
        elif found:
            unread[name] = found
    try:
        state = routing_map(body.uid, data)
    except FormatError:  # the sequence was edited: one that no entry is above
        sequences = [*(entry.sequence for entry in entries.values()), *(one.sequence for one in unread.values())]
        state = RoutingMap(body.uid, max(sequences, default=0), routes)
    return Routing(body, state, entries, unread)
