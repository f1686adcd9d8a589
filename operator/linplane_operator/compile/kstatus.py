"""Whether waiting helps while an object is not Ready: the conditions Stalled and Reconciling, as kstatus reads them."""

from collections.abc import Collection, Iterable, Sequence

from linplane_api.condition_table import TABLE, Progress
from linplane_api.conditions import Condition, ConditionType

from .conditions import PROGRESS_TYPES, condition, holds
from .objects import Object, generation_of, spec_of, status_of


def with_progress(conditions: Sequence[Condition], inherited: Progress = Progress.NONE) -> tuple[Condition, ...]:
    """The conditions, with Stalled or Reconciling if the table gives Ready's reason either. `inherited` is the
    progress of whatever the reason waits for, if the table says so.
    """
    ready = next(c for c in conditions if c.type is ConditionType.READY)
    progress = Progress.NONE if ready.status == "True" else TABLE[ready.reason].progress
    progress = inherited if progress is Progress.INHERITED else progress
    if progress is Progress.NONE:
        return tuple(conditions)
    return (*conditions, condition(ConditionType(progress.value), ready.cause))


def progress_of(model: Object | None) -> Progress:
    """The progress of a version that a route waits for, as its status says. A status of an earlier generation says
    nothing: the operator is at work.
    """
    if model is None:
        return Progress.NONE
    if spec_of(model).get("frozen"):
        return Progress.STALLED
    status = status_of(model)
    if status.get("observedGeneration") != generation_of(model):
        return Progress.RECONCILING
    return next((Progress(kind.value) for kind in PROGRESS_TYPES if holds(status, kind)), Progress.NONE)


def joint_progress(each: Iterable[Progress]) -> Progress:
    """Of several that are waited for: Stalled if one is, else Reconciling if one is."""
    found: Collection[Progress] = set(each)
    return next((one for one in (Progress.STALLED, Progress.RECONCILING) if one in found), Progress.NONE)
