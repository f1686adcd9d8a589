"""The interface between admin calls and the objects that they read and change: ModelRoutes and LinearModels.

The objects are the only source of truth: an admin call changes no state of the server itself, which receives the change
by its routing documents like any other.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from linplane_api.conditions import ConditionType


class Condition(msgspec.Struct, frozen=True, rename="camel"):
    """The part of a `metav1.Condition` that admin calls read. A newer operator may have further types and reasons."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    observed_generation: int = 0


class ObjectState(msgspec.Struct, frozen=True):
    """One object, as read. `generation` grows with every change of its spec; `observed` is the generation that its
    status describes.

    `split` is that of a route's spec, and `in_effect` the current version in its status, empty if unknown; `features`
    are those in a version's status, the first ones if there are many. Not `readable`: the caller may change the object
    but not read it, and only the names are known. `exact`: the caller wants a change of this `resource_version` or
    none.
    """

    name: str
    model: str
    version: str
    generation: int
    observed: int
    conditions: tuple[Condition, ...]
    frozen: bool = False
    readable: bool = True
    uid: str = ""
    resource_version: str = ""
    exact: bool = False
    split: tuple[dict[str, Any], ...] = ()
    features: tuple[str, ...] = ()
    in_effect: str = ""

    @property
    def current(self) -> str:
        """The version that a route serves now; `version` may not be in effect yet, or not exist."""
        return self.in_effect or self.version

    def condition(self, kind: ConditionType) -> Condition | None:
        """Returns the condition; None if it is missing or describes an older generation of the spec."""
        if self.observed != self.generation:
            return None
        return next((c for c in self.conditions if c.type == kind and c.observed_generation == self.generation), None)

    def holds(self, kind: ConditionType) -> bool:
        """Returns True if that condition is True."""
        found = self.condition(kind)
        return found is not None and found.status == "True"


class Change(Protocol):
    """A change that was written."""

    @property
    def audit(self) -> Mapping[str, str]:
        """Fields for the audit log."""

    async def refusal(self) -> str | None:
        """Returns why the change was refused after it was written; None if it was not, or not yet."""


class AdminBackend(Protocol):
    """One caller's access to the objects. Every method may raise an AdminRefusal."""

    interval: float
    """Seconds between two reads while a call waits for its effect."""

    async def route(self, name: str) -> ObjectState:
        """Reads a ModelRoute. Raises NotFound."""

    async def version(self, model: str, version: str) -> ObjectState:
        """Reads a LinearModel. Raises NotFound."""

    async def switch(self, route: ObjectState, version: str) -> Change:
        """Sets the route's `version`, and removes it from the split in the same write. Raises Conflict if the route
        changed since it was read, PreconditionFailed if it was to be `exact`.
        """

    async def freeze(self, version: ObjectState, *, frozen: bool) -> Change:
        """Sets the version's `frozen`. Raises as `switch` does."""

    async def close(self) -> None:
        """Releases the connection and the token at the end of the call."""
