"""Desired conditions, merged with those that an object has: only a new status moves `lastTransitionTime`."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import msgspec

from linplane_api.canonical import FormatError, convert
from linplane_api.condition_table import TABLE, Progress
from linplane_api.condition_table import status_of as status_for
from linplane_api.conditions import Cause, Condition, ConditionType, Reason
from linplane_api.kinds import LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, Kind

from .objects import generation_of, meta, status_of
from .observed import StatusCondition

MAX_MESSAGE = 1024
PROGRESS_TYPES = (ConditionType.STALLED, ConditionType.RECONCILING)
"""For tools: they follow from Ready and its reason, and are worth no Event of their own."""
COUNTS = ("loadedSummary", "loadedReplicas", "replicas")
_ROWS = {str(reason): row for reason, row in TABLE.items()}


def condition(kind: ConditionType, cause: Cause) -> Condition:
    """A condition without a time; the table gives its status. A message that an API would refuse is cut.

    Raises ValueError if a condition of this type does not give this reason.
    """
    reason, message = cause.reason, cause.message
    shown = message if len(message) <= MAX_MESSAGE else message[: MAX_MESSAGE - 1] + "…"
    return Condition(kind, status_for(kind, reason), reason, shown)


def merge_conditions(
    desired: Iterable[Condition], status: Mapping[str, Any], generation: int, now: str
) -> tuple[Condition, ...]:
    """The desired conditions with generation and times: `now` (RFC 3339) if the status of one has changed."""
    before = {(c.type, c.status): c.last_transition_time for c in conditions_of(status)}
    result = []
    for one in desired:
        time = before.get((one.type, one.status)) or now
        result.append(Condition(one.type, one.status, one.reason, one.message, time, generation))
    return tuple(result)


def unreadable(kind: Kind, body: Mapping[str, Any], message: str, now: str) -> dict[str, Any]:
    """The status of an object whose spec cannot be read: as it was, but for what sums it up."""
    types = (ConditionType.ACCEPTED, ConditionType.READY) if kind is MODEL_ROUTE else (ConditionType.READY,)
    cause = Cause(Reason.INVALID_SPEC, f"this operator cannot read it: {message}")
    return _overlaid(body, [condition(one, cause) for one in (*types, ConditionType.STALLED)], now)


def deleting(kind: Kind, body: Mapping[str, Any], now: str) -> dict[str, Any]:
    """The status of an object whose deletion waits for finalizers: as it was, but that it does nothing any more."""
    finalizers = ", ".join(meta(body).get("finalizers") or ("none",))
    cause = Cause(Reason.DELETING, f"its deletion waits for finalizers: {finalizers}")
    status = _overlaid(body, [condition(one, cause) for one in ENDED[kind]], now)
    return {key: value for key, value in status.items() if key not in ("traffic", "trafficSummary")}


ENDED = {
    LINEAR_MODEL: (ConditionType.READY,),
    MODEL_ROUTE: (ConditionType.ACCEPTED, ConditionType.SERVABLE, ConditionType.CONVERGED, ConditionType.READY),
    MODEL_SERVER: (ConditionType.AVAILABLE, ConditionType.CONVERGED, ConditionType.READY),
}
"""The conditions that no longer hold once an object is being deleted, by kind."""


def _overlaid(body: Mapping[str, Any], desired: Iterable[Condition], now: str) -> dict[str, Any]:
    """The status with these conditions in the place of those that it had of their types."""
    status, generation = status_of(body), generation_of(body)
    new = {str(c.type): msgspec.to_builtins(c) for c in merge_conditions(desired, status, generation, now)}
    kept = {c["type"]: c for c in _items(status) if c["type"] not in PROGRESS_TYPES}
    return {**status, "observedGeneration": generation, "conditions": list({**kept, **new}.values())}


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[StatusCondition]:
    """The conditions of `after` that are worth an Event, each fact once.

    Ready is if its status or reason is new, but not while one thing that comes by itself follows another; or if its
    reason warns now and did not before. A condition of another type is if it warns of something else than Ready does,
    or if it holds now and Ready does not change.
    """
    old, new = _reported(before), _reported(after)
    ready = new.get(ConditionType.READY)

    def is_news(item: StatusCondition) -> bool:
        was, warning = old.get(item.type), warns(item.reason, after)
        if item.type == ConditionType.READY:
            comes = was is not None and was[0] == item.status == "False" and not warns(was[1], before)
            return warning or not comes
        if warning:
            return ready is None or item.reason != ready[1]
        return item.status == "True" and bool(old) and old.get(ConditionType.READY) == ready

    def differs(item: StatusCondition) -> bool:
        if old.get(item.type) != new.get(item.type):
            return True
        return item.type == ConditionType.READY and warns(item.reason, after) and not warns(item.reason, before)

    return [item for item in conditions_of(after) if differs(item) and is_news(item)]


def warns(reason: str, status: Mapping[str, Any]) -> bool:
    """The Event of a condition with that reason is a Warning: not of what waits for something that comes by itself."""
    row = _ROWS.get(reason)
    comes = row is not None and row.progress is Progress.INHERITED and holds(status, ConditionType.RECONCILING)
    return row is not None and row.warns and not comes


def _reported(status: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Status and reason of each condition that is for people."""
    return {c.type: (c.status, c.reason) for c in conditions_of(status) if c.type not in PROGRESS_TYPES}


def is_on_its_way(before: Mapping[str, Any], after: Mapping[str, Any], version_field: str) -> bool:
    """True if `after` differs from `before` only in that replicas have not caught up yet. `version_field` is the
    field with the state that `before` describes: an earlier one's Converged claims nothing about this one.
    """
    # a sequence that fell is another ConfigMap's
    if int(before.get(version_field) or 0) >= int(after.get(version_field) or 0):
        return False
    old, new = _reported(before), _reported(after)
    if old.get(ConditionType.CONVERGED, ("",))[0] != "True" or old.get(ConditionType.READY, ("",))[0] != "True":
        return False
    follow = {ConditionType.CONVERGED, ConditionType.READY}
    return all(
        said == ("False", Reason.REPLICAS_BEHIND) if kind in follow else said == old.get(kind)
        for kind, said in new.items()
    )


def without_counts(status: Mapping[str, Any]) -> dict[str, Any]:
    """The status without counters and messages: if nothing else has changed, the write may be delayed."""
    kept = {key: value for key, value in status.items() if key not in COUNTS}
    kept["conditions"] = [{**c, "message": ""} for c in _items(status)]
    return kept


def holds(status: Mapping[str, Any], kind: ConditionType) -> bool:
    """The condition of that type is True."""
    found = condition_of(status, kind)
    return found is not None and found.status == "True"


def condition_of(status: Mapping[str, Any], kind: ConditionType) -> StatusCondition | None:
    """The condition of a type, None if there is none."""
    return next(_decoded(item for item in _items(status) if item["type"] == kind), None)


def conditions_of(status: Mapping[str, Any]) -> tuple[StatusCondition, ...]:
    """All conditions of a status. One that cannot be decoded, which no API server gives, counts as absent."""
    return tuple(_decoded(_items(status)))


def _items(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = status.get("conditions")
    return [item for item in found if isinstance(item, dict) and "type" in item] if isinstance(found, list) else []


def _decoded(items: Iterable[dict[str, Any]]) -> Iterator[StatusCondition]:
    for item in items:
        with suppress(FormatError):
            yield convert(item, StatusCondition, "status.conditions")
