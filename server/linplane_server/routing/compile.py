"""What a new routing map means for what is loaded: pure. Each route stands by itself.

Only a key whose text changed is parsed again. A key that is damaged, or of a format that this release does not read,
keeps the route's last good entry and is listed with the reason; a key that is gone takes the route away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from linplane_api.canonical import FormatError, FormatNotSupportedError
from linplane_api.report import MAX_LISTED, Lacking, Rejected, Report
from linplane_api.routing import FORMATS, Entry, RoutingMap, parse_entry

from ..state.counters import Counters
from ..state.snapshot import Route, Snapshot

MAX_REASON = 256


@dataclass(frozen=True)
class Loaded:
    """What was made of the last routing map: its keys' texts, good or not, the compiled routes with the texts that they
    were compiled from, and the rejected ones with their reasons. `unread`: the rejected ones of a format that this
    release does not read and that were never served.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    routes: Mapping[str, Route] = field(default_factory=dict)
    rejected: Mapping[str, str] = field(default_factory=dict)
    good: Mapping[str, str] = field(default_factory=dict)
    unread: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Damaged:
    """Why a key was refused; names no value. `newer`: its format is one that this release does not read."""

    reason: str
    newer: bool = False


def changed(loaded: Loaded, routing: RoutingMap) -> list[str]:
    """The routes whose key has to be parsed."""
    return [name for name, text in sorted(routing.routes.items()) if loaded.texts.get(name) != text]


def load_route(name: str, text: str, counters: Counters) -> Route | Damaged:
    """Parses and compiles one key. Whatever is wrong with it stays a matter of this route."""
    try:
        entry: Entry = parse_entry(text)
        if entry.document.route != name:
            return Damaged("document.route: is not the name of the key")
        return Route(entry, counters)
    except FormatError as error:
        return Damaged(str(error)[:MAX_REASON], isinstance(error, FormatNotSupportedError))
    except Exception as error:
        return Damaged(f"cannot be read: {type(error).__name__}")


def advance(loaded: Loaded, routing: RoutingMap, parsed: Mapping[str, Route | Damaged]) -> Loaded:
    """The next state. `parsed` has every route that `changed` named."""
    good = {name: route for name, route in parsed.items() if isinstance(route, Route)}
    bad = {name: result.reason for name, result in parsed.items() if isinstance(result, Damaged)}
    routes = {name: route for name, route in {**loaded.routes, **good}.items() if name in routing.routes}
    rejected = {
        name: reason
        for name, reason in {**loaded.rejected, **bad}.items()
        if name in routing.routes and name not in good
    }
    texts = {name: routing.routes[name] if name in good else loaded.good[name] for name in routes}
    newer = {name for name, result in parsed.items() if isinstance(result, Damaged) and result.newer}
    unread = (newer | loaded.unread) & (rejected.keys() - routes.keys())  # until it is served, or gone
    return Loaded(routing.routes, routes, rejected, texts, frozenset(unread))


def snapshot_of(loaded: Loaded, routing: RoutingMap) -> Snapshot:
    """The state that requests are answered by."""
    return Snapshot(routing.uid, routing.sequence, loaded.routes, loaded.rejected, loaded.unread)


def report_of(
    snapshot: Snapshot, lacking: Sequence[Lacking], server_name: str, pod_uid: str, started_at: str
) -> Report:
    """The acknowledgement of a snapshot: what this replica has loaded, as its ReplicaReport says it."""
    rejected = tuple(Rejected(name[:MAX_REASON], reason) for name, reason in sorted(snapshot.rejected.items()))
    return Report(
        server_name=server_name,
        pod_uid=pod_uid,
        started_at=started_at,
        config_map_uid=snapshot.uid,
        sequence=snapshot.sequence,
        routes=len(snapshot.routes),
        rejected_count=len(rejected),
        rejected=rejected[:MAX_LISTED],
        formats=FORMATS,
        lacking=tuple(lacking) or msgspec.UNSET,
    )
