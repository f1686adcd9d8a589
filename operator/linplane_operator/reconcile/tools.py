"""What the reconcilers share: what they work with, and how they tell what stands in the way."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from linplane_api.conditions import Cause, Reason

from ..cluster import Cluster, NameTakenError, RefusedError
from ..compile.objects import Settings
from ..compile.replicas import Acknowledged
from ..lookout import Lookout
from ..statuses import Statuses
from ..survey import Survey
from ..world import World

NOBODY = Acknowledged(0, 0, "")


@dataclass(frozen=True)
class Tools:
    """One of each, for all of them. `now` is the clock, in UTC."""

    world: World
    cluster: Cluster
    settings: Settings
    now: Callable[[], datetime]
    survey: Survey
    lookout: Lookout
    statuses: Statuses

    def stamp(self) -> str:
        """The time now, as a status has it."""
        return self.now().strftime("%Y-%m-%dT%H:%M:%SZ")


def cause_of(error: NameTakenError | RefusedError) -> Cause:
    """Why a child could not be made or changed."""
    return Cause(Reason.NAME_TAKEN if isinstance(error, NameTakenError) else Reason.CHILD_REFUSED, str(error))
