"""Conditions as wishes, and how they meet those that an object has: only a new status moves `lastTransitionTime`."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from linplane_api.condition_table import status_of
from linplane_api.conditions import Condition, ConditionType, Reason
from linplane_api.kinds import MODEL_ROUTE, Kind

MAX_MESSAGE = 1024
COUNTS = ("loadedSummary", "loadedReplicas", "replicas")


def condition(kind: ConditionType, reason: Reason, message: str) -> Condition:
    """A condition without a time; the table gives its status. A message that an API would refuse is cut.

    Raises ValueError if a condition of this type does not give this reason.
    """
    shown = message if len(message) <= MAX_MESSAGE else message[: MAX_MESSAGE - 1] + "…"
    return Condition(kind, status_of(kind, reason), reason, shown)


def settle(wishes: Iterable[Condition], status: Mapping[str, Any], generation: int, now: str) -> tuple[Condition, ...]:
    """The wishes with generation and times: `now` (RFC 3339) where the status differs from the one there was."""
    before = {c.get("type"): c for c in status.get("conditions") or ()}
    result = []
    for wish in wishes:
        old = before.get(str(wish.type), {})
        same = old.get("status") == wish.status and old.get("lastTransitionTime")
        time = old["lastTransitionTime"] if same else now
        result.append(Condition(wish.type, wish.status, wish.reason, wish.message, time, generation))
    return tuple(result)


def unreadable(kind: Kind, body: Mapping[str, Any], message: str, now: str) -> dict[str, Any]:
    """The status of an object whose spec cannot be read: as it was, but for what sums it up."""
    status: Mapping[str, Any] = body.get("status") or {}
    types = (ConditionType.ACCEPTED, ConditionType.READY) if kind is MODEL_ROUTE else (ConditionType.READY,)
    wishes = [condition(one, Reason.INVALID_SPEC, f"this operator cannot read it: {message}") for one in types]
    generation = int((body.get("metadata") or {}).get("generation") or 0)
    told = {str(c.type): msgspec.to_builtins(c) for c in settle(wishes, status, generation, now)}
    kept = {c.get("type"): c for c in status.get("conditions") or ()}
    return {**status, "observedGeneration": generation, "conditions": list({**kept, **told}.values())}


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The conditions of `after` whose status or reason is not what it was: each is worth an Event."""
    old = {c.get("type"): (c.get("status"), c.get("reason")) for c in before.get("conditions") or ()}
    return [c for c in after.get("conditions") or () if old.get(c["type"]) != (c["status"], c["reason"])]


def is_on_its_way(before: Mapping[str, Any], after: Mapping[str, Any], told_by: str) -> bool:
    """Replicas are about to load what was just asked for, and nothing else is new. `told_by` is the field that says
    of what `before` speaks: while it names an earlier state, its Converged is no claim about this one.
    """
    if int(before.get(told_by) or 0) >= int(after.get(told_by) or 0):  # a sequence that fell is another ConfigMap's
        return False
    old = {c.get("type"): (c.get("status"), c.get("reason")) for c in before.get("conditions") or ()}
    new = {c["type"]: (c["status"], c["reason"]) for c in after.get("conditions") or ()}
    if old.get(ConditionType.CONVERGED, ("",))[0] != "True" or old.get(ConditionType.READY, ("",))[0] != "True":
        return False
    follow = {ConditionType.CONVERGED, ConditionType.READY}
    return all(
        said == ("False", Reason.REPLICAS_BEHIND) if kind in follow else said == old.get(kind)
        for kind, said in new.items()
    )


def essence(status: Mapping[str, Any]) -> dict[str, Any]:
    """A status without what merely counts or words it: a change of the rest is no news that cannot wait a moment."""
    kept = {key: value for key, value in status.items() if key not in COUNTS}
    kept["conditions"] = [{**c, "message": ""} for c in status.get("conditions") or ()]
    return kept


def holds(status: Mapping[str, Any], kind: ConditionType) -> bool:
    """The condition of that type is True."""
    return any(c.get("type") == kind and c.get("status") == "True" for c in status.get("conditions") or ())
