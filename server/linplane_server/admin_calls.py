"""The admin calls: decide by what was read, change one field, wait for the effect. Independent of HTTP and of where
the resources are.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .resources import (
    Change,
    Conflict,
    Forbidden,
    ObjectState,
    Refused,
    Resources,
    Throttled,
    Unauthenticated,
    Unavailable,
)

PATIENCE = 2.0
"""Seconds that a call waits for its effect."""

Read = Callable[[], Awaitable[ObjectState]]


@dataclass(frozen=True)
class Outcome:
    """`done`: the effect was seen; otherwise it is under way. `body` is what the caller is told, `audit` what else the
    audit log is.
    """

    done: bool
    body: dict[str, Any]
    audit: Mapping[str, str]


def _outcome(done: bool, change: Change | None, **body: Any) -> Outcome:
    return Outcome(done, body, change.audit if change else {})


async def switch(resources: Resources, route_name: str, version: str, patience: float = PATIENCE) -> Outcome:
    """Makes `version` the route's current one. Raises AdminRefusal; nothing is changed then, save where a Refused
    says so.
    """
    route = await resources.route(route_name)
    _check_servable(await resources.version(route.model, version))
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
    return _outcome(done, change, **told, converged=done)


async def freeze(resources: Resources, route_name: str, version: str, patience: float = PATIENCE) -> Outcome:
    """Freezes a version of the route's model. Raises AdminRefusal."""
    route = await resources.route(route_name)
    before = await resources.version(route.model, version)
    change = await resources.freeze(before, frozen=True) if not before.frozen else None

    def withdrawn(now: ObjectState) -> bool:
        return now.frozen and now.holds("Withdrawn")

    done = await _wait(lambda: resources.version(route.model, version), withdrawn, change, resources.interval, patience)
    body = {"model": route.model, "version": version, "frozen": True, "withdrawn": done}
    if route.version == version:
        body["warning"] = f"{version} is the current version of {route_name}: its share is answered 503 until a switch"
    return _outcome(done, change, **body)


async def unfreeze(resources: Resources, route_name: str, version: str, patience: float = PATIENCE) -> Outcome:
    """Takes the freeze back. Raises AdminRefusal."""
    route = await resources.route(route_name)
    before = await resources.version(route.model, version)
    change = await resources.freeze(before, frozen=False) if before.frozen else None

    def thawed(now: ObjectState) -> bool:
        return not now.frozen and now.observed == now.generation

    done = await _wait(lambda: resources.version(route.model, version), thawed, change, resources.interval, patience)
    return _outcome(done, change, model=route.model, version=version, frozen=False, observed=done)


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
