"""The routing documents: what each route should serve, given what exists and what was last good."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from linplane_api.conditions import Reason
from linplane_api.document import (
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
from linplane_api.names import MAX_CONFIGMAP_BYTES
from linplane_api.resources import ModelRouteSpec, decimal

from .versions import Version

ROOM = MAX_CONFIGMAP_BYTES - 48 * 1024  # metadata and managedFields count too


@dataclass(frozen=True)
class Compiled:
    """A route's document, and whether it is what the spec asks for: `reason` is ACCEPTED where it is."""

    document: RouteDocument
    reason: Reason
    message: str


def compile_document(
    name: str, spec: ModelRouteSpec, versions: Mapping[str, Version], before: RouteDocument | None, replicas: int
) -> Compiled:
    """The document of a route. `before` is the one in force: the memory of what was last good. Compiling twice
    changes nothing.

    A current version that cannot serve is not switched to: version and split stay, together, as they were. A
    candidate that cannot serve keeps its slot and has no weights, so that the current version answers for it.
    Weights of a version that vanished stay; those of a frozen one never do.
    """
    problem = _problem(spec.version, versions)
    stays = bool(before and before.current == spec.version)
    split: tuple[Candidate, ...]
    if problem is None or stays:
        current, split = spec.version, tuple(Candidate(entry.version, entry.share) for entry in spec.split)
    elif before and before.current:
        current, split = before.current, before.split
    else:
        current, split = None, ()
    served = _weights((current, *(c.version for c in split)), versions, before)
    previous = before.previous if before else None
    if before and before.current and before.current != current:
        previous = before.current
    document = RouteDocument(
        route=name,
        model=spec.model,
        current=current,
        split=split,
        split_key=SplitKey(
            (spec.split_key and spec.split_key.salt) or name, spec.split_key.header if spec.split_key else None
        ),
        versions=served,
        named=_named((current, previous, *(c.version for c in split)), versions, before),
        previous=previous,
        rate_limit=_rate_limit(spec, replicas),
        unavailable=_unavailable(current, served, versions),
    )
    return _judged(document, spec, problem, versions)


def _problem(version: str, versions: Mapping[str, Version]) -> tuple[Reason, str] | None:
    """Why a version cannot be routed to, None where it can."""
    found = versions.get(version)
    if found is None:
        return Reason.VERSION_NOT_FOUND, f"version {version} does not exist"
    if found.frozen:
        return Reason.VERSION_FROZEN, f"version {version} is frozen"
    if found.verdict.artifact is None:
        return (
            Reason.VERSION_NOT_READY,
            f"version {version} is not Ready ({found.verdict.reason}: {found.verdict.message})",
        )
    return None


def _weights(
    wanted: tuple[str | None, ...], versions: Mapping[str, Version], before: RouteDocument | None
) -> dict[str, ServedVersion]:
    result = {}
    for name in wanted:
        if name is None:
            continue
        version = versions.get(name)
        if version and version.frozen:
            continue
        artifact = version.verdict.artifact if version else None
        if version and artifact and version.verdict.file:
            digest = version.verdict.file.digest
            result[name] = ServedVersion(
                digest, artifact.features, artifact.coefficients, artifact.intercept, artifact.checks
            )
        elif before and name in before.versions:
            result[name] = before.versions[name]
    return result


def _named(
    wanted: tuple[str | None, ...], versions: Mapping[str, Version], before: RouteDocument | None
) -> dict[str, tuple[str, ...]]:
    result: dict[str, tuple[str, ...]] = {}
    for name in wanted:
        if name is None:
            continue
        version = versions.get(name)
        if version and version.verdict.file:
            result[name] = version.verdict.file.artifact.features
        elif before and name in before.named:
            result[name] = before.named[name]
    return result


def _unavailable(
    current: str | None, served: Mapping[str, ServedVersion], versions: Mapping[str, Version]
) -> Unavailable | None:
    if current is None:
        return Unavailable(Reason.NEVER_SERVED, "no version of this route has been Ready yet")
    if current in served:
        return None
    version = versions.get(current)
    if version and version.frozen:
        return Unavailable(Reason.CURRENT_FROZEN, f"the current version {current} is frozen")
    return Unavailable(Reason.VERSION_NOT_READY, f"the current version {current} has no weights")


def _rate_limit(spec: ModelRouteSpec, replicas: int) -> RateLimit | None:
    limit = spec.rate_limit
    if limit is None:
        return None
    rate = decimal(limit.requests_per_second)
    return RateLimit(
        rate, limit.burst or max(1, math.ceil(rate)), limit.per, max(1, replicas) if limit.per == "Route" else 1
    )


def _judged(
    document: RouteDocument, spec: ModelRouteSpec, problem: tuple[Reason, str] | None, versions: Mapping[str, Version]
) -> Compiled:
    if problem:
        goes_on = f"; traffic stays on {document.current}" if document.current not in (None, spec.version) else ""
        return Compiled(document, problem[0], problem[1] + goes_on)
    lost = [
        _problem(c.version, versions) or (Reason.VERSION_NOT_READY, f"version {c.version} has no weights")
        for c in document.split
        if _problem(c.version, versions) or c.version not in document.versions
    ]
    if lost:
        texts = "; ".join(text for _, text in lost)
        return Compiled(document, Reason.CANDIDATE_UNAVAILABLE, f"{texts}; its share goes to {document.current}")
    return Compiled(document, Reason.ACCEPTED, "the spec is in effect")


@dataclass(frozen=True)
class Wanted:
    """One route's document with what decides who stays where there is no room: the older route."""

    document: RouteDocument
    created: str


def compile_map(
    before: RoutingMap | None, entries: Mapping[str, Entry], wanted: Mapping[str, Wanted], uid: str
) -> tuple[RoutingMap, frozenset[str]]:
    """The next state of the routing ConfigMap, and the routes that found no room in it.

    `entries` are the parsed ones of `before`. An unchanged revision keeps its sequence; everything that changed
    comes in at one sequence, one higher. A route in no room keeps the entry it had: none that serves is ever
    evicted.
    """
    sequence = (before.sequence if before else 0) + 1
    routes: dict[str, str] = {}
    full: set[str] = set()
    fresh: list[str] = []
    for name, want in wanted.items():
        old = entries.get(name)
        if before and old and old.revision == want.document.revision:
            routes[name] = before.routes[name]
        else:
            fresh.append(name)
            if before and old:
                routes[name] = before.routes[name]
    size = sum(_size(name, text) for name, text in routes.items())
    for name in sorted(fresh, key=lambda n: (n not in routes, wanted[n].created, n)):
        text = make_entry(wanted[name].document, sequence).to_bytes().decode()
        grown = size + _size(name, text) - (_size(name, routes[name]) if name in routes else 0)
        if grown > ROOM:
            full.add(name)
            continue
        routes[name], size = text, grown
    if before and routes == before.routes:
        return before, frozenset(full)
    return RoutingMap(uid, sequence, routes), frozenset(full)


def _size(name: str, text: str) -> int:
    return len(name) + len(text.encode()) + 16
