"""The end of a reconcile: the result of applying its plan, the status to write, and when the next one is due."""

from dataclasses import dataclass

from linplane_api.conditions import Cause

from .objects import Object


@dataclass(frozen=True)
class Result:
    """When the same key is reconciled next: in `requeue_after` seconds, or, if None, at the next event."""

    requeue_after: float | None = None


DONE = Result()


def earliest(*results: Result) -> Result:
    """The result with the shortest time."""
    return min((r for r in results if r.requeue_after is not None), key=lambda r: r.requeue_after or 0.0, default=DONE)


@dataclass(frozen=True)
class Applied:
    """The result of applying objects. `taken`: others that have their names (`Service x`). `refused`: why one was
    refused. `deployment`: the Deployment as it is now, None if it was not applied. `result`: when to write
    what could not be written yet.
    """

    taken: tuple[str, ...] = ()
    refused: Cause | None = None
    deployment: Object | None = None
    result: Result = DONE


@dataclass(frozen=True)
class Outcome:
    """The status to write, and the result if that succeeds."""

    status: Object
    result: Result = DONE
