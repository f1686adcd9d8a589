"""The admin calls: each reads the objects, decides, changes one of them, and waits for the effect. They know neither
HTTP nor the kind of backend.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from linplane_api.conditions import ConditionType, Reason
from linplane_api.display import display_names

from ..errors import BackendUnavailable, Conflict, Forbidden, PreconditionFailed, Refused, Throttled, Unauthenticated
from .backend import AdminBackend, Change, ObjectState

TIMEOUT = 2.0
"""Seconds that a call waits for its effect."""

Read = Callable[[], Awaitable[ObjectState]]
Match = frozenset[str] | None
"""The resourceVersions that may be changed; None: any."""
Features = Callable[[str, str], Sequence[str]]
"""Returns the features of a route's version; empty if this server has not loaded it."""


@dataclass(frozen=True)
class Call:
    """The arguments of a call: a route and a version of its model. `timeout` is in seconds."""

    backend: AdminBackend
    route: str
    version: str
    features: Features
    match: Match = None
    timeout: float = TIMEOUT


class Switched(msgspec.Struct, frozen=True, omit_defaults=True, rename={"old": "from", "new": "to"}):
    """A completed switch. `converged`: every ready replica serves it. `warnings` is left out if empty."""

    route: str
    old: str
    new: str
    converged: bool
    warnings: tuple[str, ...] = ()


class Frozen(msgspec.Struct, frozen=True, omit_defaults=True):
    """A completed freeze. `withdrawn`: no replica can serve the version any more."""

    model: str
    version: str
    frozen: bool
    withdrawn: bool
    warnings: tuple[str, ...] = ()


class Unfrozen(msgspec.Struct, frozen=True, omit_defaults=True):
    """A completed unfreeze. `observed`: it is in effect."""

    model: str
    version: str
    frozen: bool
    observed: bool
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """`done`: the effect was observed; otherwise it is pending. `body` is the response, `audit` has further fields for
    the audit log.
    """

    done: bool
    body: Switched | Frozen | Unfrozen
    audit: Mapping[str, Any]


def _matching(found: ObjectState, match: Match) -> ObjectState:
    """Applies If-Match: the object must be at one of these versions, and is changed only at that one. Raises
    PreconditionFailed.
    """
    if match is None:
        return found
    if not found.readable:
        raise Forbidden("Unreadable", f"If-Match needs the right to get {found.name}")
    if found.resource_version not in match:
        raise PreconditionFailed("Changed", f"{found.name} is at resourceVersion {found.resource_version}")
    return msgspec.structs.replace(found, exact=True)


async def switch(call: Call) -> Outcome:
    """Makes `version` the route's current one. `match` applies to the route. Raises AdminRefusal; nothing was
    changed then, unless its detail says otherwise.
    """
    backend, version = call.backend, call.version
    route = await backend.route(call.route)
    wanted = await backend.version(route.model, version)
    _check_servable(wanted)
    route = _matching(route, call.match)
    sent = call.features(call.route, route.current)
    change = await backend.switch(route, version) if route.version != version or not route.readable else None

    def switched(now: ObjectState) -> bool:
        accepted = now.condition(ConditionType.ACCEPTED)
        if now.version == version and accepted is not None and accepted.status == "False":
            raise Conflict(accepted.reason, accepted.message)
        return now.version == version and now.holds(ConditionType.CONVERGED)

    done = route.readable and await _wait(call, lambda: backend.route(call.route), switched, change)
    needed = call.features(call.route, version) or wanted.features
    warnings = [*_also_needed(version, needed, sent), *_moved_users(route.split, version)]
    body = Switched(call.route, route.version, version, done, tuple(warnings))
    return Outcome(done, body, change.audit if change else {})


async def freeze(call: Call) -> Outcome:
    """Freezes a version of the route's model. `match` applies to the version. Raises AdminRefusal."""
    backend, version = call.backend, call.version
    route = await backend.route(call.route)
    before = _matching(await backend.version(route.model, version), call.match)
    change = await backend.freeze(before, frozen=True) if not before.frozen else None

    def withdrawn(now: ObjectState) -> bool:
        return now.frozen and now.holds(ConditionType.WITHDRAWN)

    done = await _wait(call, lambda: backend.version(route.model, version), withdrawn, change)
    warnings: list[str] = []
    if route.current == version:
        warnings = [f"{version} is the current version of {call.route}: its share is answered 503 until a switch"]
    body = Frozen(route.model, version, frozen=True, withdrawn=done, warnings=tuple(warnings))
    return Outcome(done, body, _audit(before, change))


async def unfreeze(call: Call) -> Outcome:
    """Unfreezes a version. `match` applies to the version. Raises AdminRefusal."""
    backend, version = call.backend, call.version
    route = await backend.route(call.route)
    before = _matching(await backend.version(route.model, version), call.match)
    change = await backend.freeze(before, frozen=False) if before.frozen else None

    def unfrozen(now: ObjectState) -> bool:
        return not now.frozen and now.observed == now.generation

    done = await _wait(call, lambda: backend.version(route.model, version), unfrozen, change)
    warnings: list[str] = []
    if any(candidate.get("version") == version and _has_share(candidate) for candidate in route.split):
        needed = call.features(call.route, version) or before.features
        warnings = _also_needed(version, needed, call.features(call.route, route.current))
    body = Unfrozen(route.model, version, frozen=False, observed=done, warnings=tuple(warnings))
    return Outcome(done, body, _audit(before, change))


def _also_needed(version: str, needed: Sequence[str], sent: Sequence[str]) -> list[str]:
    """Warns of features that callers of the previous version may not send. No warning if either list is unknown."""
    more = [name for name in needed if name not in sent] if sent else []
    return [f"{version} also needs {display_names(more)}"] if more else []


def _moved_users(split: Sequence[Mapping[str, Any]], promoted: str) -> list[str]:
    """Warns if the second candidate becomes the first: the first gets its users from one end of the key range, the
    second from the other; see `linplane_api.split`.
    """
    first, second = (*split, {}, {})[:2]
    if first.get("version") != promoted or not _has_share(second):
        return []
    return [f"{second.get('version')} is now the first candidate: other users get it than before"]


def _has_share(candidate: Mapping[str, Any]) -> bool:
    return float(str(candidate.get("percent", 0))) > 0


def _audit(before: ObjectState, change: Change | None) -> Mapping[str, Any]:
    return {"wasFrozen": before.frozen, **(change.audit if change else {})}


def _check_servable(version: ObjectState) -> None:
    if version.frozen:
        raise Conflict(Reason.VERSION_FROZEN, f"{version.name} is frozen; unfreeze it first")
    if not version.holds(ConditionType.READY):
        ready = version.condition(ConditionType.READY)
        why = f" ({ready.reason}: {ready.message})" if ready else ""
        raise Conflict(Reason.VERSION_NOT_READY, f"{version.name} is not Ready{why}")


async def _wait(call: Call, read: Read, effect: Callable[[ObjectState], bool], change: Change | None) -> bool:
    """Returns True if the effect was observed in time. Once a change is written, a failed read does not fail the call.
    Raises Refused if the change was refused, even when `effect` raises something else.
    """
    deadline = asyncio.get_running_loop().time() + call.timeout
    while True:
        try:
            if effect(await read()):
                return True
        except (BackendUnavailable, Throttled, Unauthenticated, Forbidden):
            if change is None:
                raise
        refusal = await change.refusal() if change else None
        if refusal is not None:
            raise Refused("Invalid", refusal)
        if asyncio.get_running_loop().time() >= deadline:
            return False
        await asyncio.sleep(call.backend.interval)
