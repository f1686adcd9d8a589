"""Compiles a routing map, given what is loaded: pure. Each route is independent of the others.

Only a key whose text changed is parsed again. A key that is damaged, or of a format that this release does not support,
leaves the route's last good entry in force and is listed with the reason; a key that is gone removes the route.
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
    """The result of the last routing map. `texts` are those of its keys, `routes` the compiled routes, `good` the texts
    that these were compiled from, and `rejected` the reasons by route. `unread` are the rejected routes that were never
    served and whose format this release does not support.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    routes: Mapping[str, Route] = field(default_factory=dict)
    rejected: Mapping[str, str] = field(default_factory=dict)
    good: Mapping[str, str] = field(default_factory=dict)
    unread: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Damaged:
    """Why a key was rejected; it repeats no value. `newer`: this release does not support its format."""

    reason: str
    newer: bool = False


def changed_routes(loaded: Loaded, routing: RoutingMap) -> list[str]:
    """Returns the routes whose key must be parsed."""
    return [name for name, text in sorted(routing.routes.items()) if loaded.texts.get(name) != text]


def load_route(name: str, text: str, counters: Counters) -> Route | Damaged:
    """Parses and compiles one key. Every failure is returned, so that it affects this route alone."""
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
    """Returns the next state. `parsed` has the results for all of `changed_routes`."""
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
    unread = (newer | loaded.unread) & (rejected.keys() - routes.keys())  # until it is served, or removed
    return Loaded(routing.routes, routes, rejected, texts, frozenset(unread))


def snapshot_of(loaded: Loaded, routing: RoutingMap) -> Snapshot:
    """Returns the snapshot for requests."""
    return Snapshot(routing.uid, routing.sequence, loaded.routes, loaded.rejected, loaded.unread)


def report_of(
    snapshot: Snapshot, missing: Sequence[Lacking], server_name: str, pod_uid: str, started_at: str
) -> Report:
    """Returns the report that acknowledges a snapshot, for the ReplicaReport or its file."""
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
        lacking=tuple(missing) or msgspec.UNSET,
    )
