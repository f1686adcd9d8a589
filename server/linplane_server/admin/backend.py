"""What admin calls act on: the backend, behind an interface. Two-phase: read the version, change one field, look
for the effect.

The resources stay the only truth: a server changes none of its own state by an admin call, it learns of the change as
of any other.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from linplane_api.conditions import ConditionType


class Condition(msgspec.Struct, frozen=True, rename="camel"):
    """The part of a `metav1.Condition` that is looked at; of any type and reason, as a newer operator may have more."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    observed_generation: int = 0


class ObjectState(msgspec.Struct, frozen=True):
    """What one object says of itself. `generation` grows with every change of its spec; `observed` is the one that
    its status is about.

    `split` is a route's, as it is written, and `in_effect` the current version of its traffic, empty if none is known;
    `features` are a version's, the first ones if there are many.
    Not `readable`: the caller may not read it, and all but the names is unknown. `exact`: the caller wants a change
    of this very `resource_version` or none.
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
        """The version that a route's callers get now: `version` may wait, or not exist."""
        return self.in_effect or self.version

    def condition(self, kind: ConditionType) -> Condition | None:
        """That of the spec as it is now; None where the status is about an older one."""
        if self.observed != self.generation:
            return None
        return next((c for c in self.conditions if c.type == kind and c.observed_generation == self.generation), None)

    def holds(self, kind: ConditionType) -> bool:
        """Whether that condition is True."""
        found = self.condition(kind)
        return found is not None and found.status == "True"


class Change(Protocol):
    """A field that was changed."""

    @property
    def audit(self) -> Mapping[str, str]:
        """What the audit log is to say of it."""

    async def refusal(self) -> str | None:
        """Why the change was refused after it was written; None where it was not, as far as is known by now."""


class AdminBackend(Protocol):
    """One caller's access. Every method may raise an AdminRefusal."""

    interval: float
    """Seconds between two looks for an effect."""

    async def route(self, name: str) -> ObjectState:
        """A ModelRoute; `version` is its current one. Raises NotFound."""

    async def version(self, model: str, version: str) -> ObjectState:
        """A LinearModel. Raises NotFound."""

    async def switch(self, route: ObjectState, version: str) -> Change:
        """Changes the route's `version`, provided that it still is as it was read; a candidate leaves the split by the
        same change. Raises Conflict if the route is not as it was read, PreconditionFailed if it was to be `exact`.
        """

    async def freeze(self, version: ObjectState, *, frozen: bool) -> Change:
        """Changes the version's `frozen`, as `switch` does."""

    async def close(self) -> None:
        """The call has ended."""
