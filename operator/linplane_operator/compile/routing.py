"""The routing documents: what each route should serve, given what exists and what was last good."""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from linplane_api.conditions import Cause, Reason
from linplane_api.names import MAX_CONFIGMAP_BYTES
from linplane_api.resources import ModelRouteSpec, decimal
from linplane_api.routing import (
    Candidate,
    Entry,
    RateLimit,
    RouteDocument,
    RoutingMap,
    ServedVersion,
    SplitKey,
    Unavailable,
    make_entry,
)

from .artifacts import Version
from .last_good import missing_versions

ROOM = MAX_CONFIGMAP_BYTES - 48 * 1024  # metadata and managedFields count too
MAX_SEQUENCE = 2**52  # canonical JSON has none past 2**53; one above this is an edit, and is not counted on from


@dataclass(frozen=True)
class Compiled:
    """A route's entry, without its sequence, and whether the spec is in effect with it: the cause is ACCEPTED if so.
    `missing`: the versions that had traffic before and whose weights are not known now. `waits_for`: the versions
    that the cause is about.
    """

    entry: Entry
    cause: Cause
    missing: tuple[str, ...] = ()
    waits_for: tuple[str, ...] = ()


def named_versions(spec: ModelRouteSpec, before: RouteDocument | None) -> set[str]:
    """All versions that `compile_document` reads: those of the spec, and those of the document in force."""
    return {*spec.versions_named(), *(before.versions_named() if before else ())}


def compile_document(  # noqa: PLR0913 - all that a document is made from
    name: str,
    spec: ModelRouteSpec,
    versions: Mapping[str, Version],
    before: RouteDocument | None,
    replicas: int,
    *,
    served: bool = False,
    known: Entry | None = None,
) -> Compiled:
    """The document of a route. `before` is the one in force, or the last that is known: the memory of what was last
    good. `served`: the route has served, also if `before` is None. `known` is the entry that `before` is of, if there
    is one: fields of a later release are copied from it. Compiling twice changes nothing.

    A current version that cannot serve is not switched to: version and split stay, together, as they were. A
    candidate that cannot serve keeps its slot and has no weights, so that the current version answers for it.
    Weights of a version that vanished, or is not Ready any more, stay; those of a frozen one never do.
    """
    if before and before.model != spec.model:
        before = None  # of an earlier route that had this name
    if known and known.document.model != spec.model:
        known = None
    problem = _problem(spec.version, versions)
    current: str | None
    split: tuple[Candidate, ...]
    if problem is None or (before and before.current == spec.version):
        current, split = spec.version, tuple(Candidate(entry.version, entry.share) for entry in spec.split)
    elif before:
        current, split = before.current, before.split
    else:
        current, split = None, ()
    previous = before.previous if before else None
    if before and before.current and before.current != current:
        previous = before.current
    candidates = [candidate.version for candidate in split]
    weights = _weights([v for v in (current, *candidates) if v], versions, before)
    key = spec.split_key
    document = RouteDocument(
        route=name,
        model=spec.model,
        current=current,
        split=split,
        split_key=SplitKey((key and key.salt) or name, key.header if key else None),
        versions=weights,
        features_by_version=_features([v for v in (current, previous, *candidates) if v], weights, versions, before),
        previous=previous,
        rate_limit=_rate_limit(spec, replicas),
        unavailable=_unavailable(current, weights, versions) if current else _nothing_yet(spec, versions, served),
    )
    missing = missing_versions(document, versions, before)
    waits_for = _waits_for(spec, versions)
    entry = make_entry(document, before=known)
    return Compiled(entry, _judged(document, spec, versions), missing, waits_for)


def _problem(version: str, versions: Mapping[str, Version]) -> Cause | None:
    """Why a version cannot be routed to, None if it can."""
    found = versions.get(version)
    if found is None:
        return Cause(Reason.VERSION_NOT_FOUND, f"version {version} does not exist")
    if found.frozen:
        return Cause(Reason.VERSION_FROZEN, f"version {version} is frozen")
    if found.verdict.artifact is None:
        cause = found.verdict.cause
        return Cause(Reason.VERSION_NOT_READY, f"version {version} is not Ready ({cause.reason}: {cause.message})")
    return None


def _weights(
    wanted: Iterable[str], versions: Mapping[str, Version], before: RouteDocument | None
) -> dict[str, ServedVersion]:
    result = {}
    for name in wanted:
        version = versions.get(name)
        if version and version.frozen:
            continue
        if version and version.verdict.file and (artifact := version.verdict.artifact):
            digest = version.verdict.file.digest
            result[name] = ServedVersion(
                digest, artifact.features, artifact.coefficients, artifact.intercept, artifact.checks
            )
        elif before and name in before.versions:
            result[name] = before.versions[name]
    return result


def _features(
    wanted: Iterable[str],
    served: Mapping[str, ServedVersion],
    versions: Mapping[str, Version],
    before: RouteDocument | None,
) -> dict[str, tuple[str, ...]]:
    result: dict[str, tuple[str, ...]] = {}
    for name in wanted:
        version = versions.get(name)
        if name in served:
            result[name] = served[name].features
        elif version and version.verdict.file:
            result[name] = version.verdict.file.artifact.features
        elif before and name in before.features_by_version:
            result[name] = before.features_by_version[name]
    return result


def _nothing_yet(spec: ModelRouteSpec, versions: Mapping[str, Version], served: bool) -> Unavailable:
    """Without any current version. The text has no detail that changes often: each change is a write."""
    if not served:
        return Unavailable(Reason.NEVER_SERVED, "no version of this route has been Ready yet")
    problem = _problem(spec.version, versions)
    if problem is None or problem.reason is Reason.VERSION_NOT_READY:
        asked = f"spec.version {spec.version} is not Ready"
    else:
        asked = f"spec.{problem.message}"
    text = f"the last good version of this route is not known any more; {asked}"
    return Unavailable(Reason.VERSION_NOT_READY, text)


def _unavailable(
    current: str, served: Mapping[str, ServedVersion], versions: Mapping[str, Version]
) -> Unavailable | None:
    if current in served:
        return None
    version = versions.get(current)
    if version is None:
        return Unavailable(Reason.VERSION_NOT_FOUND, f"the current version {current} does not exist")
    if version.frozen:
        return Unavailable(Reason.CURRENT_FROZEN, f"the current version {current} is frozen")
    return Unavailable(Reason.VERSION_NOT_READY, f"the current version {current} is not Ready")


def _rate_limit(spec: ModelRouteSpec, replicas: int) -> RateLimit | None:
    limit = spec.rate_limit
    if limit is None:
        return None
    rate = decimal(limit.requests_per_second)
    return RateLimit(
        rate, limit.burst or max(1, math.ceil(rate)), limit.per, max(1, replicas) if limit.per == "Route" else 1
    )


def _judged(document: RouteDocument, spec: ModelRouteSpec, versions: Mapping[str, Version]) -> Cause:
    """ACCEPTED if the spec is in effect, else why it is not, and what happens instead."""
    if problem := _problem(spec.version, versions):
        reason, text, gone = problem.reason, problem.message, document.unavailable
        if document.current is None:
            return problem
        if document.current != spec.version:
            instead = gone.message if gone else f"traffic stays on {document.current}"
            return Cause(reason, f"{text}; {instead}")
        if gone:
            return Cause(Reason(gone.reason), f"{gone.message}: its share is answered 503 until the route is switched")
        return Cause(reason, f"{text}; the route goes on with the weights that it has")
    without = [c.version for c in document.split if c.version not in document.versions]
    troubled = [(c.version, p) for c in document.split if (p := _problem(c.version, versions))]
    if not troubled:
        return Cause(Reason.ACCEPTED, "the spec is in effect")
    texts = [
        f"{p.message}; {f'its share goes to {document.current}' if v in without else 'it goes on with its weights'}"
        for v, p in troubled
    ]
    return Cause(Reason.CANDIDATE_UNAVAILABLE if without else troubled[0][1].reason, "; ".join(texts))


def _waits_for(spec: ModelRouteSpec, versions: Mapping[str, Version]) -> tuple[str, ...]:
    """The version of the spec if it cannot serve, else the candidates that cannot."""
    if _problem(spec.version, versions):
        return (spec.version,)
    return tuple(entry.version for entry in spec.split if _problem(entry.version, versions))


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
