"""The admin calls: decide by what was read, change one field, wait for the effect. Independent of HTTP and of where
the resources are.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from .resources import (
    Change,
    Conflict,
    Forbidden,
    ObjectState,
    PreconditionFailed,
    Refused,
    Resources,
    Throttled,
    Unauthenticated,
    Unavailable,
)

PATIENCE = 2.0
"""Seconds that a call waits for its effect."""

Read = Callable[[], Awaitable[ObjectState]]
Match = frozenset[str] | None
"""The resourceVersions of which one is to be changed; None: whatever it is."""


@dataclass(frozen=True)
class Outcome:
    """`done`: the effect was seen; otherwise it is under way. `body` is what the caller is told, `audit` what else the
    audit log is.
    """

    done: bool
    body: dict[str, Any]
    audit: Mapping[str, Any]


def _matching(found: ObjectState, match: Match) -> ObjectState:
    """To be changed as it was found and in no other state, where that was asked for. Raises PreconditionFailed."""
    if match is None:
        return found
    if not found.readable:
        raise Forbidden("Unreadable", f"If-Match needs the right to get {found.name}")
    if found.resource_version not in match:
        raise PreconditionFailed("Changed", f"{found.name} is at resourceVersion {found.resource_version}")
    return msgspec.structs.replace(found, exact=True)


async def switch(
    resources: Resources, route_name: str, version: str, patience: float = PATIENCE, *, match: Match = None
) -> Outcome:
    """Makes `version` the route's current one. `match` is about the route. Raises AdminRefusal; nothing is changed
    then, save where a Refused says so.
    """
    route = await resources.route(route_name)
    _check_servable(await resources.version(route.model, version))
    route = _matching(route, match)
    change = await resources.switch(route, version) if route.version != version or not route.readable else None
    told = {"route": route_name, "from": route.version, "to": version}

    def switched(now: ObjectState) -> bool:
        accepted = now.condition("Accepted")
        if now.version == version and accepted is not None and accepted.status == "False":
            raise Conflict(accepted.reason, accepted.message)
        return now.version == version and now.holds("Converged")

    done = route.readable and await _wait(
        lambda: resources.route(route_name), switched, change, resources.interval, patience
    )
    return Outcome(done, {**told, "converged": done}, change.audit if change else {})


async def freeze(
    resources: Resources, route_name: str, version: str, patience: float = PATIENCE, *, match: Match = None
) -> Outcome:
    """Freezes a version of the route's model; `match` is about the version. Raises AdminRefusal."""
    route = await resources.route(route_name)
    before = _matching(await resources.version(route.model, version), match)
    change = await resources.freeze(before, frozen=True) if not before.frozen else None

    def withdrawn(now: ObjectState) -> bool:
        return now.frozen and now.holds("Withdrawn")

    done = await _wait(lambda: resources.version(route.model, version), withdrawn, change, resources.interval, patience)
    body = {"model": route.model, "version": version, "frozen": True, "withdrawn": done}
    if route.version == version:
        body["warning"] = f"{version} is the current version of {route_name}: its share is answered 503 until a switch"
    return Outcome(done, body, _audit(before, change))


async def unfreeze(
    resources: Resources, route_name: str, version: str, patience: float = PATIENCE, *, match: Match = None
) -> Outcome:
    """Takes the freeze back; `match` is about the version. Raises AdminRefusal."""
    route = await resources.route(route_name)
    before = _matching(await resources.version(route.model, version), match)
    change = await resources.freeze(before, frozen=False) if before.frozen else None

    def thawed(now: ObjectState) -> bool:
        return not now.frozen and now.observed == now.generation

    done = await _wait(lambda: resources.version(route.model, version), thawed, change, resources.interval, patience)
    body = {"model": route.model, "version": version, "frozen": False, "observed": done}
    return Outcome(done, body, _audit(before, change))


def _audit(before: ObjectState, change: Change | None) -> Mapping[str, Any]:
    return {"wasFrozen": before.frozen, **(change.audit if change else {})}


def _check_servable(version: ObjectState) -> None:
    if version.frozen:
        raise Conflict("VersionFrozen", f"{version.name} is frozen; unfreeze it first")
    if not version.holds("Ready"):
        ready = version.condition("Ready")
        why = f" ({ready.reason}: {ready.message})" if ready else ""
        raise Conflict("VersionNotReady", f"{version.name} is not Ready{why}")


async def _wait(
    read: Read, effect: Callable[[ObjectState], bool], change: Change | None, interval: float, patience: float
) -> bool:
    """Whether the effect was seen in time: what was changed is changed, also where it cannot be read any more. Raises
    Refused where the change was refused, whatever `effect` raises.
    """
    deadline = asyncio.get_running_loop().time() + patience
    while True:
        try:
            if effect(await read()):
                return True
        except (Unavailable, Throttled, Unauthenticated, Forbidden):
            if change is None:
                raise
        refusal = await change.refusal() if change else None
        if refusal is not None:
            raise Refused("Invalid", refusal)
        if asyncio.get_running_loop().time() >= deadline:
            return False
        await asyncio.sleep(interval)
