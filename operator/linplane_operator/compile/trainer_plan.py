"""The rights of a namespace's trainers: from the trainings there are to the objects that all trainers share."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .job_progress import has_ended
from .objects import Object
from .observed import ConfigMap, Job
from .rbac import make_trainer_access

OWNERS = 32
"""How many LinearModels own what all trainers of a namespace share: enough to outlive most."""


@dataclass(frozen=True)
class Training:
    """A LinearModel that is trained, with its Jobs and the results and artifacts that it owns."""

    model: Object
    jobs: Sequence[Job]
    results: Sequence[ConfigMap]


@dataclass(frozen=True)
class TrainerInputs:
    """All that decides about the trainers of one namespace. `has_account`: their ServiceAccount is there."""

    namespace: str
    trainings: Sequence[Training]
    has_account: bool


@dataclass(frozen=True)
class TrainerPlan:
    """The objects to apply, in this order. `is_needed`: a training waits for its result, or rights may be too wide."""

    children: tuple[Object, ...]
    is_needed: bool


def plan_trainers(inputs: TrainerInputs) -> TrainerPlan:
    """The plan: trainers may write the results that are waited for, and nothing else."""
    waited = sorted({name for training in inputs.trainings for name in _waited(training)})
    models = [training.model for training in inputs.trainings]
    children = make_trainer_access(inputs.namespace, models[:OWNERS], waited)
    return TrainerPlan(children, is_needed=bool(waited) or (bool(models) and inputs.has_account))


def _waited(training: Training) -> Iterator[str]:
    """The results that are waited for: a Job that has not ended waits for its own, even if that is not known."""
    results = {result.name for result in training.results}
    yield from (job.name for job in training.jobs if not has_ended(job) and job.name not in results)
    yield from (result.name for result in training.results if not result.is_immutable)
