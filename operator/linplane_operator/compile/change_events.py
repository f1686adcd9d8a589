"""What a new status says apart from its conditions: who switched a route, who froze a version, what a training warns
of. Each is worth an Event.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from linplane_api.conditions import ConditionType, Reason
from linplane_api.facts import WarningReason
from linplane_api.kinds import LINEAR_MODEL, MODEL_ROUTE, Kind

from .conditions import condition_of
from .objects import Object, meta, status_of

MANAGED = {MODEL_ROUTE: "version", LINEAR_MODEL: "frozen"}
"""The field of a spec that users change while it is at work, by kind."""

SWITCHED, MADE_AGAIN, FROZEN, UNFROZEN = "Switched", "VersionMadeAgain", "SpecFrozen", "SpecUnfrozen"
REASONS = frozenset({SWITCHED, MADE_AGAIN, FROZEN, UNFROZEN})
WARNINGS = frozenset(map(str, WarningReason))
"""Those that are Warnings; conditions have other reasons."""


def manager_of(body: Object, field: str) -> str | None:
    """The field manager that owns a field of the spec, as the API server records it."""
    for entry in reversed(meta(body).get("managedFields") or ()):
        if f"f:{field}" in ((entry.get("fieldsV1") or {}).get("f:spec") or {}):
            return str(entry.get("manager"))
    return None


def news(kind: Kind, body: Object, status: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Reason and message of each Event that `status` is worth, given the object with the status it had."""
    if kind is MODEL_ROUTE:
        before = status_of(body)
        switched = _switched(before.get("switches") or (), status.get("switches") or ())
        return switched + _made_again(before.get("traffic") or (), status.get("traffic") or ())
    if kind is LINEAR_MODEL:
        frozen = _frozen(_freeze(status_of(body)), _freeze(status), _by(manager_of(body, MANAGED[kind])))
        return [*frozen, *_warned(status_of(body).get("warnings") or (), status.get("warnings") or ())]
    return []


def _switched(before: Any, after: Any) -> list[tuple[str, str]]:
    if not after or (before and before[-1] == after[-1]):
        return []
    last = after[-1]
    if last.get("from") == last["to"]:  # see `_made_again`
        return []
    came = f"from {last['from']} " if last.get("from") else ""
    return [(SWITCHED, f"the current version went {came}to {last['to']}{_by(last.get('manager'))}")]


def _made_again(before: Any, after: Any) -> list[tuple[str, str]]:
    texts = (made_again(share["version"], before, share.get("digest")) for share in after)
    return [(MADE_AGAIN, text) for text in texts if text]


def made_again(version: str, before: Iterable[Mapping[str, Any]], digest: str | None) -> str | None:
    """In words that a version means something else than in the traffic `before`, None if it does not."""
    old = next((share.get("digest") for share in before if share.get("version") == version), None)
    return f"{version} was made again: {old} -> {digest}" if old and digest and old != digest else None


def _warned(before: Any, after: Any) -> list[tuple[str, str]]:
    return [(one["reason"], one["message"]) for one in after if one not in before]


def _freeze(status: Mapping[str, Any]) -> bool | None:
    """What the spec asked for when the status was written; None where it does not say."""
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
