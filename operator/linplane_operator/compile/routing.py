"""The routing documents: what each route should serve, given what exists and what was last good."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from linplane_api.conditions import Cause, Reason
from linplane_api.resources import ModelRouteSpec, decimal
from linplane_api.routing import (
    Candidate,
    Entry,
    RateLimit,
    RouteDocument,
    ServedVersion,
    SplitKey,
    Unavailable,
    make_entry,
)

from .artifacts import Version
from .last_good import missing_versions


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
