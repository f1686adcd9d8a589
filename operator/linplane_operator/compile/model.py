"""A LinearModel: from what exists to the children it needs, the artifact to seal, and its status."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from linplane_api import names
from linplane_api.canonical import FormatError
from linplane_api.conditions import Condition, ConditionType, Reason
from linplane_api.kinds import CONFIG_MAP, JOB, Kind
from linplane_api.resources import Coefficient, LinearModelSpec, LinearModelStatus
from linplane_api.task import Failure, parse_failure

from .conditions import condition
from .objects import Object, Settings, child, controller_uid, label_of, meta, name_of, status_of, uid_of
from .training import (
    UnsupportedDataError,
    artifact_labels,
    job_condition,
    job_name,
    job_progress,
    job_settings_hash,
    make_job,
    make_result,
    make_task,
    recipe,
    result_name,
)
from .versions import Belongings, Verdict, check, find_key, judge, read_source

LISTED_COEFFICIENTS = 32


@dataclass(frozen=True)
class ModelPlan:
    """What to do for one LinearModel, in this order: create what is absent, seal, delete; then write the status."""

    verdict: Verdict
    trained: Condition
    create: tuple[Object, ...] = ()
    seal: Object | None = None
    delete: tuple[tuple[Kind, Object], ...] = ()


def plan_model(model: Object, spec: LinearModelSpec, around: Belongings, settings: Settings) -> ModelPlan:
    """The plan. Nothing in it depends on a condition; a sealed artifact without a status is a finished training."""
    verdict = judge(model, spec, around.artifacts)
    stale = _stale(model, spec, around)
    if verdict.reason not in (Reason.NOT_TRAINED, Reason.ARTIFACT_LOST):
        trained = _trained(spec, verdict)
        return ModelPlan(verdict, trained, delete=stale)
    plan = _from_weights(model, spec, around) if spec.weights else _from_training(model, spec, around, settings)
    if verdict.reason is Reason.ARTIFACT_LOST and plan.verdict.file is None:
        message = f"{verdict.message} ({plan.trained.reason}: {plan.trained.message})"
        lost = Verdict(None, Reason.ARTIFACT_LOST, message)
        plan = replace(plan, verdict=lost, trained=_trained(spec, lost))
    return replace(plan, delete=(*plan.delete, *stale))


def _trained(spec: LinearModelSpec, verdict: Verdict) -> Condition:
    if verdict.file is None:
        return condition(ConditionType.TRAINED, False, verdict.reason, verdict.message)
    if spec.weights:
        return condition(ConditionType.TRAINED, True, Reason.WEIGHTS_READ, f"copied to {verdict.name}")
    samples = verdict.file.artifact.training.samples if verdict.file.artifact.training else 0
    return condition(ConditionType.TRAINED, True, Reason.TRAINED, f"{samples} samples, sealed in {verdict.name}")


def _from_weights(model: Object, spec: LinearModelSpec, around: Belongings) -> ModelPlan:
    verdict = read_source(spec, around.source, status_of(model).get("digest"))
    if verdict.file is None:
        return ModelPlan(verdict, _trained(spec, verdict))
    name = names.child_name(name_of(model), verdict.file.digest)
    body = child(CONFIG_MAP, name, model, "artifact", artifact_labels(spec))
    body |= {"immutable": True, "data": {names.ARTIFACT_KEY: verdict.file.artifact.to_file(None).decode()}}
    named = Verdict(verdict.file, verdict.reason, verdict.message, verdict.missed, name)
    return ModelPlan(named, _trained(spec, named), create=(body,))


def _from_training(model: Object, spec: LinearModelSpec, around: Belongings, settings: Settings) -> ModelPlan:
    try:
        task = make_task(spec, settings)
    except UnsupportedDataError as error:
        return _untrained(Reason.DATA_UNSUPPORTED, str(error))
    name = result_name(model, spec)
    result = next((a for a in around.artifacts if name_of(a) == name), None)
    job = next((j for j in around.jobs if name_of(j) == name), None)
    if result is not None and names.ARTIFACT_KEY in (result.get("data") or {}):
        return _finished(model, spec, result)
    ref = spec.training.data.config_map_key_ref if spec.training else None
    absent = find_key(ref, around.source) if ref else None
    if absent and (job is None or job_condition(job, "Failed")):
        return _untrained(Reason.DATA_NOT_FOUND, absent.message)
    if job is None:
        create = (make_result(model, spec), make_job(model, spec, task, settings))
        return _untrained(Reason.TRAINING, f"Job {name} is being made", create)
    return _under_way(model, spec, job, result, around)


def _under_way(
    model: Object, spec: LinearModelSpec, job: Object, result: Object | None, around: Belongings
) -> ModelPlan:
    """A Job without an artifact: what it waits for, or why it failed. Changed pod settings are a wish to try again."""
    create = (make_result(model, spec),)
    if job_condition(job, "Failed"):
        if (meta(job).get("annotations") or {}).get(names.ANNOTATION_JOB_SETTINGS) != job_settings_hash(spec):
            return _untrained(Reason.TRAINING, f"Job {name_of(job)} is made anew", create, ((JOB, job),))
        failure = _failure(((result or {}).get("data") or {}).get(names.ERROR_KEY))
        if failure:
            again = f"Job {name_of(job)}; delete it, or change training, to try again"
            return _untrained(Reason(failure.reason), f"{failure.message} ({again})", create)
    elif job_condition(job, "Complete"):
        text = f"Job {name_of(job)} ended without a result; delete it to try again"
        return _untrained(Reason.TRAINING_FAILED, text, create)
    reason, message = job_progress(job, around.pods)
    return _untrained(reason, message, create)


def _finished(model: Object, spec: LinearModelSpec, result: Object) -> ModelPlan:
    verdict = check(result["data"][names.ARTIFACT_KEY], spec, status_of(model).get("digest"), name_of(result))
    if verdict.file is None:
        return ModelPlan(verdict, _trained(spec, verdict))
    return ModelPlan(verdict, _trained(spec, verdict), seal=result)


def _untrained(
    reason: Reason, message: str, create: tuple[Object, ...] = (), delete: tuple[tuple[Kind, Object], ...] = ()
) -> ModelPlan:
    verdict = Verdict(None, Reason.NOT_TRAINED, "there is no artifact yet")
    return ModelPlan(verdict, condition(ConditionType.TRAINED, False, reason, message), create, None, delete)


def _failure(text: str | None) -> Failure | None:
    try:
        return parse_failure(text) if text else None
    except FormatError:
        return None


def _stale(model: Object, spec: LinearModelSpec, around: Belongings) -> tuple[tuple[Kind, Object], ...]:
    """Jobs and unsealed results of an earlier `training`, which nobody waits for any more."""
    name = job_name(model, spec)
    jobs = [(JOB, job) for job in around.jobs if name_of(job) != name]
    results = [
        (CONFIG_MAP, artifact)
        for artifact in around.artifacts
        if not artifact.get("immutable") and label_of(artifact, names.LABEL_RECIPE) != recipe(spec)
    ]
    return (*jobs, *results)


def validated_and_ready(plan: ModelPlan, *, frozen: bool) -> tuple[Condition, Condition]:
    """The two conditions that follow from the plan's verdict."""
    verdict = plan.verdict
    kinds = (ConditionType.VALIDATED, ConditionType.READY)
    if verdict.file is None and verdict.reason is Reason.NOT_TRAINED:
        return (
            condition(kinds[0], "Unknown", Reason.NOT_TRAINED, verdict.message),
            condition(kinds[1], False, plan.trained.reason, plan.trained.message),
        )
    if verdict.file is None or verdict.missed:
        return tuple(condition(kind, False, verdict.reason, verdict.message) for kind in kinds)  # type: ignore[return-value]
    ready = f"{verdict.message}; frozen, so it is not routed to" if frozen else verdict.message
    return (
        condition(kinds[0], True, Reason.VALIDATED, verdict.message),
        condition(kinds[1], True, Reason.VALIDATED, ready),
    )


def model_status(
    model: Object,
    plan: ModelPlan,
    conditions: Sequence[Condition],
    serving_in: Sequence[str],
    jobs: Sequence[Object],
) -> LinearModelStatus:
    """The whole status. The digest, once known, stays; so does what was learned where the artifact was lost."""
    before = status_of(model)
    learned = _learned(plan) if plan.verdict.file else _kept(before)
    return msgspec.structs.replace(
        learned,
        observed_generation=int(meta(model).get("generation") or 0),
        conditions=tuple(conditions),
        job=name_of(jobs[0]) if jobs else None,
        serving_in=tuple(serving_in),
    )


def _learned(plan: ModelPlan) -> LinearModelStatus:
    file = plan.verdict.file
    assert file is not None
    artifact, training = file.artifact, file.artifact.training
    pairs = list(zip(artifact.features, artifact.coefficients, strict=True))[:LISTED_COEFFICIENTS]
    return LinearModelStatus(
        trained_at=file.trained_at,
        samples=training.samples if training else None,
        dropped_rows=training.dropped_rows if training else None,
        noise=training.noise if training else None,
        intercept=artifact.intercept,
        coefficients=tuple(Coefficient(feature, value) for feature, value in pairs),
        coefficient_count=len(artifact.coefficients),
        evaluation=training.evaluation if training else None,
        digest=file.digest,
        artifact=plan.verdict.name,
    )


def _kept(before: Object) -> LinearModelStatus:
    if not before.get("digest"):
        return LinearModelStatus()
    return msgspec.convert(before, LinearModelStatus)


def belongs(model: Object, bodies: Sequence[Object]) -> list[Object]:
    """Those that this very LinearModel controls, in the order of their names."""
    return sorted((b for b in bodies if controller_uid(b) == uid_of(model)), key=name_of)
