"""A ModelRoute's conditions and status, from its document in force and what the replicas confirmed."""

from collections.abc import Sequence
from contextlib import suppress

import msgspec

from linplane_api.condition_table import gives
from linplane_api.conditions import Cause, Condition, ConditionType, Reason
from linplane_api.resources import ModelRouteStatus, Share, Switch, TrafficShare, Undo
from linplane_api.routing import Entry, RouteDocument

from .acknowledgements import Acknowledged
from .change_events import made_again, manager_of
from .conditions import condition
from .last_good import has_served
from .objects import Object, generation_of, server_of, status_of

KEPT_SWITCHES = 20


def refuse(name: str, server: str, *, server_exists: bool, servers: tuple[str, ...] | None) -> Cause | None:
    """Why a route as a whole is not accepted: it names what it must not, or a server that does not exist."""
    if name == "kubernetes" or name.startswith("linplane-"):
        return Cause(Reason.NAME_RESERVED, f"a route cannot be called {name}: this name is reserved")
    if servers is not None and server not in servers:
        return Cause(Reason.SERVER_UNSUPPORTED, f"there is no ModelServer {server} here, only {', '.join(servers)}")
    if not server_exists:
        return Cause(Reason.SERVER_NOT_FOUND, f"there is no ModelServer {server}")
    return None


def route_conditions(
    accepted: Cause, servable: Condition, entry: Entry | None, current: bool, replicas: Acknowledged
) -> tuple[Condition, ...]:
    """Accepted, Servable, Converged and their sum, Ready. `current`: the entry in force is the one that was
    compiled last.
    """
    asked = condition(ConditionType.ACCEPTED, accepted)
    converged = _converged(entry, current, replicas)
    if servable.reason is Reason.FORMAT_NOT_SUPPORTED:  # of the document in force: nothing of it is known
        converged = condition(ConditionType.CONVERGED, Cause(servable.reason, servable.message))
    missing = next((c for c in (asked, servable, converged) if c.status != "True"), None)
    if missing:
        return asked, servable, converged, condition(ConditionType.READY, missing.cause)
    ready = condition(ConditionType.READY, Cause(Reason.READY, f"served by {replicas.summary} replicas"))
    return asked, servable, converged, ready


def servable_of(document: RouteDocument) -> Condition:
    """Servable, by the document that servers answer with."""
    lost = [version for version, _ in document.traffic() if version not in document.versions]
    if document.current is None or (lost and document.unavailable):
        return condition(ConditionType.SERVABLE, _gone(document))
    return condition(ConditionType.SERVABLE, Cause(Reason.SERVING, traffic_summary(document)))


def servable_without_document(route: Object, refusal: Cause | None, missing: Sequence[str]) -> Condition:
    """Servable of a route without a document in force, or that is remembered. `missing`: see `Compiled`."""
    kind = ConditionType.SERVABLE
    if has_served(route) and refusal and refusal.reason is Reason.SERVER_NOT_FOUND:
        text = f"ModelServer {server_of(route)} is gone; nothing answers for this route"
        return condition(kind, Cause(Reason.SERVER_NOT_FOUND, text))
    if refusal or not (has_served(route) or missing):
        return condition(kind, Cause(Reason.NEVER_SERVED, "the route has no document yet"))
    when = f"once {' and '.join(missing)} can be served, or after a minute" if missing else "in a moment"
    text = f"no routing ConfigMap is in force: the servers go on with what they hold, and there is one again {when}"
    return condition(kind, Cause(Reason.ROUTING_LOST, text))


def _gone(document: RouteDocument) -> Cause:
    gone = document.unavailable
    message = f"{gone.message if gone else 'no version serves'}: its share is answered 503"
    try:
        reason = Reason(gone.reason if gone else Reason.NEVER_SERVED)
    except ValueError:  # a later operator's
        reason = Reason.VERSION_NOT_READY
    return Cause(reason if gives(ConditionType.SERVABLE, reason) else Reason.VERSION_NOT_READY, message)


def _converged(entry: Entry | None, current: bool, replicas: Acknowledged) -> Condition:
    kind = ConditionType.CONVERGED
    if entry is None or not current:
        return condition(kind, Cause(Reason.REPLICAS_BEHIND, "the document is not written yet"))
    if replicas.converged:
        text = f"{replicas.summary} replicas have loaded {entry.revision[:19]}"
        return condition(kind, Cause(Reason.CONVERGED, text))
    if not replicas.total:
        text = "no replica is ready: see the conditions of the ModelServer"
        return condition(kind, Cause(Reason.NO_REPLICAS, text))
    reason = Reason.REJECTED if replicas.rejected else Reason.REPLICAS_BEHIND
    return condition(kind, Cause(reason, replicas.problem))


def percent(share: int) -> str:
    """Hundredths of a percent as text: `90`, `0.25`."""
    whole, rest = divmod(share, 100)
    return f"{whole}.{rest:02d}".rstrip("0") if rest else str(whole)


def traffic_summary(document: RouteDocument) -> str:
    """`v1 90, v2 10`: shares as they are in effect."""
    return ", ".join(f"{version} {percent(share)}" for version, share in document.traffic())


def route_status(  # noqa: PLR0913 - a status sums up all of it
    route: Object, entry: Entry | None, conditions: Sequence[Condition], replicas: Acknowledged, *, url: str, now: str
) -> ModelRouteStatus:
    """The whole status of a route."""
    base = ModelRouteStatus(
        observed_generation=generation_of(route),
        conditions=tuple(conditions),
        url=url or None,
        loaded_summary=replicas.summary,
    )
    before = _status_before(route)
    if entry is None:  # what served is still what was last good
        return msgspec.structs.replace(base, **{name: getattr(before, name) for name in KEPT})
    document = entry.document
    if document.current is None and before.version:  # a 503 does not erase what served last
        kept = {name: getattr(before, name) for name in KEPT}
        return msgspec.structs.replace(base, revision=entry.revision, sequence=entry.sequence, **kept)
    split = tuple(Share(candidate.version, percent(candidate.share)) for candidate in document.split) or None
    return msgspec.structs.replace(
        base,
        version=document.current,
        previous_version=document.previous,
        split=split,
        traffic=_traffic(document, before),
        traffic_summary=traffic_summary(document),
        revision=entry.revision,
        sequence=entry.sequence,
        switches=_switches(route, document, before, now) or None,
        undo=before.undo if _keeps_undo(route, entry, before) else _undo(document, split, before, now),
    )


KEPT = ("version", "previous_version", "split", "traffic", "traffic_summary", "switches", "undo")
"""The fields that describe served traffic."""
_FIELDS = msgspec.structs.fields(ModelRouteStatus)
_KEPT_NAMES = tuple({field.encode_name for field in _FIELDS if field.name in kept} for kept in (KEPT, ("switches",)))


def _status_before(route: Object) -> ModelRouteStatus:
    """The fields that describe served traffic, as the status has them; its log alone if they were edited past the CRD.
    Other fields may be a later operator's.
    """
    for names in _KEPT_NAMES:
        with suppress(msgspec.ValidationError):
            return msgspec.convert({k: v for k, v in status_of(route).items() if k in names}, ModelRouteStatus)
    return ModelRouteStatus()


def _traffic(document: RouteDocument, before: ModelRouteStatus) -> tuple[TrafficShare, ...]:
    digests = {share.version: share.digest for share in before.traffic or ()}
    digests |= {version: served.digest for version, served in document.versions.items()}
    return tuple(TrafficShare(v, percent(share), digests.get(v)) for v, share in document.traffic())


def _switches(route: Object, document: RouteDocument, before: ModelRouteStatus, now: str) -> tuple[Switch, ...]:
    """The log, with a new line if the current version is not the one that the log ends with, or was made again."""
    log, current = before.switches or (), document.current
    last = log[-1].to_version if log else None
    if current is None:
        return log
    if current != last:
        return (*log, Switch(current, now, last or document.previous, manager_of(route, "version")))[-KEPT_SWITCHES:]
    if text := made_again(current, before.traffic or (), _digest(document, current)):
        return (*log, Switch(current, now, current, reason=text))[-KEPT_SWITCHES:]
    return log


def _digest(document: RouteDocument, version: str) -> str | None:
    served = document.versions.get(version)
    return served.digest if served else None


def _keeps_undo(route: Object, entry: Entry, before: ModelRouteStatus) -> bool:
    """The status is of this document already, or an earlier operator wrote it, which did not record the split: it has
    several shares and no split.
    """
    is_without_split = before.split is None and len(before.traffic or ()) > 1
    return is_without_split or status_of(route).get("revision") == entry.revision


def _undo(document: RouteDocument, split: tuple[Share, ...] | None, before: ModelRouteStatus, now: str) -> Undo | None:
    """The version and split before the last change; unchanged if nothing has changed."""
    is_same = (document.current, split) == (before.version, before.split)
    if before.version is None or document.current is None or is_same:
        return before.undo
    return Undo(before.version, now, before.split)
