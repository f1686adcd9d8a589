"""The routing ConfigMap: all documents of a server in the room that there is, each at its sequence."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import msgspec

from linplane_api.names import MAX_CONFIGMAP_BYTES
from linplane_api.routing import Entry, RoutingMap

ROOM = MAX_CONFIGMAP_BYTES - 48 * 1024  # metadata and managedFields count too

MAX_SEQUENCE = 2**52  # canonical JSON has none past 2**53; one above this is an edit, and is not counted on from


@dataclass(frozen=True)
class Wanted:
    """One route's entry, whatever its sequence, and since when the route is there: if there is no room, the older ones
    come first. `missing`: weights that the route served are not known now.
    """

    entry: Entry
    created: str
    missing: bool = False


def compile_map(
    before: RoutingMap | None,
    entries: Mapping[str, Entry],
    wanted: Mapping[str, Wanted],
    *,
    kept: Collection[str] = (),
    floor: int = 0,
) -> tuple[RoutingMap, frozenset[str]]:
    """The next state of the routing ConfigMap, and the routes that found no room in it.

    `entries` are the parsed ones of `before`. An unchanged revision keeps its sequence; everything that changed
    comes in at one sequence, one higher than the last, than `floor`, and than that of any entry. An entry above the
    map's own sequence, which no replica could confirm, was edited, or the map was: it comes in again. A route without
    room keeps the entry that it had: none that serves is ever evicted. Routes in `kept` stay as they are.
    """
    last = before.sequence if before else 0
    sequence = max(last, floor, *(e.sequence for e in entries.values() if e.sequence < MAX_SEQUENCE)) + 1
    routes = {name: text for name, text in before.routes.items() if name in wanted or name in kept} if before else {}
    texts = {
        name: placed(want.entry, sequence)
        for name, want in wanted.items()
        if name not in routes
        or name not in entries
        or entries[name].revision != want.entry.revision
        or entries[name].sequence > last
    }
    full: set[str] = set()
    size = sum(entry_size(name, text) for name, text in routes.items())

    def growth(name: str) -> int:
        return entry_size(name, texts[name]) - (entry_size(name, routes[name]) if name in routes else 0)

    # first those that give room, then those that serve, then the new ones, the oldest first
    for name in sorted(texts, key=lambda n: (growth(n) > 0, n not in routes, wanted[n].created, n)):
        if (more := growth(name)) > 0 and size + more > ROOM:
            full.add(name)
            continue
        size += more
        routes[name] = texts[name]
    if before and routes == before.routes:
        return before, frozenset(full)
    return RoutingMap(before.uid if before else "", sequence, routes), frozenset(full)


def placed(entry: Entry, sequence: int) -> str:
    """The value of a route's key if the entry comes in at `sequence`."""
    return msgspec.structs.replace(entry, sequence=sequence).to_bytes().decode()


def has_room(state: RoutingMap, name: str, entry: Entry) -> bool:
    """An entry could come into the routing ConfigMap as it is now."""
    others = sum(entry_size(other, text) for other, text in state.routes.items() if other != name)
    text = placed(entry, state.sequence + 1)
    grows = entry_size(name, text) > entry_size(name, state.routes.get(name, ""))
    return not grows or others + entry_size(name, text) <= ROOM


def entry_size(name: str, text: str) -> int:
    """The size of an entry in the ConfigMap, in bytes."""
    return len(name) + len(text.encode()) + 16
