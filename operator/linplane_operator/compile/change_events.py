"""Events of a new status apart from its conditions: a switch, a freeze and who requested it, a training's warnings."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from linplane_api.conditions import ConditionType, Reason
from linplane_api.facts import WarningReason
from linplane_api.kinds import LINEAR_MODEL, MODEL_ROUTE, Kind
from linplane_api.resources import LinearModelStatus, ModelRouteStatus, Switch, TrafficShare

from .conditions import condition_of
from .objects import Object, items, meta, part, status_of
from .statuses import readable_status

MANAGED = {MODEL_ROUTE: "version", LINEAR_MODEL: "frozen"}
"""The field of a spec that users change while it is at work, by kind."""

SWITCHED, MADE_AGAIN, FROZEN, UNFROZEN = "Switched", "VersionMadeAgain", "SpecFrozen", "SpecUnfrozen"
REASONS = frozenset({SWITCHED, MADE_AGAIN, FROZEN, UNFROZEN})
WARNINGS = frozenset(map(str, WarningReason))
"""Those that are Warnings; conditions have other reasons."""


def manager_of(body: Object, field: str) -> str | None:
    """The field manager that owns a field of the spec, as the API server records it."""
    for entry in reversed(items(meta(body), "managedFields")):
        if f"f:{field}" in part(entry, "fieldsV1", "f:spec"):
            return str(entry.get("manager"))
    return None


def news(kind: Kind, body: Object, status: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Reason and message of each Event that `status` is worth, given the object with the status it had."""
    if kind is MODEL_ROUTE:
        before, after = (readable_status(ModelRouteStatus, one) for one in (status_of(body), status))
        return _switched(before.switches or (), after.switches or ()) + _made_again(
            before.traffic or (), after.traffic or ()
        )
    if kind is LINEAR_MODEL:
        frozen = _frozen(_freeze(status_of(body)), _freeze(status), _by(manager_of(body, MANAGED[kind])))
        known, now = (readable_status(LinearModelStatus, one).warnings or () for one in (status_of(body), status))
        return [*frozen, *((one.reason, one.message) for one in now if one not in known)]
    return []


def _switched(before: Sequence[Switch], after: Sequence[Switch]) -> list[tuple[str, str]]:
    if not after or (before and before[-1] == after[-1]):
        return []
    last = after[-1]
    if last.from_version == last.to_version:  # see `_made_again`
        return []
    came = f"from {last.from_version} " if last.from_version else ""
    return [(SWITCHED, f"the current version went {came}to {last.to_version}{_by(last.manager)}")]


def _made_again(before: Sequence[TrafficShare], after: Sequence[TrafficShare]) -> list[tuple[str, str]]:
    texts = (made_again(share.version, before, share.digest) for share in after)
    return [(MADE_AGAIN, text) for text in texts if text]


def made_again(version: str, before: Iterable[TrafficShare], digest: str | None) -> str | None:
    """The message that a version means something else than in the traffic `before`, None if it does not."""
    old = next((share.digest for share in before if share.version == version), None)
    return f"{version} was made again: {old} -> {digest}" if old and digest and old != digest else None


def _freeze(status: Mapping[str, Any]) -> bool | None:
    """`spec.frozen` when the status was written; None if the status does not say."""
    found = condition_of(status, ConditionType.WITHDRAWN)
    return found.reason != Reason.NOT_FROZEN if found else None


def _frozen(before: bool | None, after: bool | None, by: str) -> list[tuple[str, str]]:
    if after and not before:
        return [(FROZEN, f"frozen went from false to true{by}")]
    if before and after is False:
        return [(UNFROZEN, f"frozen went from true to false{by}")]
    return []


def _by(manager: str | None) -> str:
    return f", by field manager {manager}" if manager else ""
