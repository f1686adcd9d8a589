"""A LinearModel: from what exists to the children it needs, and the artifact to seal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from linplane_api import names
from linplane_api.artifact import ArtifactFile
from linplane_api.canonical import FormatError
from linplane_api.condition_table import TABLE, Progress
from linplane_api.conditions import Cause, Condition, ConditionType, Reason
from linplane_api.kinds import CONFIG_MAP, JOB, Kind
from linplane_api.resources import LinearModelSpec
from linplane_api.task import Failure, parse_failure

from .artifacts import (
    OwnedObjects,
    Verdict,
    artifact_name,
    check,
    find_key,
    judge,
    not_trained,
    read_source,
    sealed_artifacts,
    software_of,
    source_copy,
    source_name,
)
from .conditions import condition
from .data_sources import plan_data
from .job_progress import failure_of, has_begun, has_completed, has_ended, job_progress, seconds_kept, seconds_to_pod
from .objects import Object, child, status_of
from .observed import ConfigMap, Job
from .settings import RETRY_SECONDS, Mode, Settings
from .training import (
    ANNOTATION_DATA,
    ANNOTATION_SECOND_OF,
    artifact_labels,
    job_annotations,
    job_name,
    make_job,
    make_result,
    result_name,
)
from .withdrawal import NOT_FROZEN, Acknowledgements, withdrawn


@dataclass(frozen=True)
class ModelInputs:
    """All that decides about one LinearModel. `servers`: what the replicas of each ModelServer have confirmed, if the
    version is frozen. `serving_in`: the routes that have the version in their traffic.
    """

    model: Object
    spec: LinearModelSpec
    owned: OwnedObjects
    servers: Sequence[Acknowledgements] = ()
    serving_in: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelPlan:
    """The work on one LinearModel, in this order: delete, create what is absent, seal; then write the status.
    `requeue_after`: in how many seconds there is something more to do. `inherited`: the progress of what replaces an
    artifact that is lost.
    """

    verdict: Verdict
    trained: Condition
    create: tuple[Object, ...] = ()
    seal: Object | None = None
    delete: tuple[tuple[Kind, Object], ...] = ()
    job: str | None = None
    requeue_after: float | None = None
    edited: str = ""
    inherited: Progress = Progress.NONE
    withdrawn: Condition = NOT_FROZEN
    frozen: bool = False
    serving_in: tuple[str, ...] = ()


def unseen(model: Object, spec: LinearModelSpec, owned: OwnedObjects) -> list[tuple[Kind, str]]:
    """Objects that are not cached but would change the plan; they are read live before a training starts again.
    A version with a sealed artifact lacks nothing.
    """
    if sealed_artifacts(model, owned.artifacts):
        return []
    missing: list[tuple[Kind, str]] = []
    digest = status_of(model).get("digest")
    if spec.training:
        name = result_name(model, spec)
        result = next((a for a in owned.artifacts if a.name == name), None)
        job = next((job for job in owned.jobs if job.name == name), None)
        if result is None or (job and has_ended(job) and not result.data):
            missing.append((CONFIG_MAP, name))
        if result is not None and job is None:
            missing.append((JOB, name))
    elif digest:
        missing.append((CONFIG_MAP, artifact_name(model, spec, digest)))
    ref = spec.source_ref
    if ref and owned.source is None and (owned.jobs or digest):
        missing.append((CONFIG_MAP, ref.name))
    return missing


def plan_model(inputs: ModelInputs, settings: Settings, now: datetime) -> ModelPlan:
    """The plan. No training depends on a condition; a sealed artifact without a status is a finished training."""
    model, spec, owned = inputs.model, inputs.spec, inputs.owned
    plan = _plan_artifact(model, spec, owned, settings, now)
    return replace(
        plan,
        edited=_edited(spec, plan.verdict.file, owned.source, settings),
        withdrawn=withdrawn(model, spec, inputs.servers),
        frozen=spec.frozen,
        serving_in=inputs.serving_in,
    )


def _plan_artifact(
    model: Object, spec: LinearModelSpec, owned: OwnedObjects, settings: Settings, now: datetime
) -> ModelPlan:
    verdict = judge(model, spec, owned.artifacts)
    stale = _stale(model, spec, owned)
    job = next((j for j in owned.jobs if j.name == job_name(model, spec)), None)
    if verdict.cause.reason not in (Reason.NOT_TRAINED, Reason.ARTIFACT_LOST):
        plan = _with_job(ModelPlan(verdict, _trained(spec, verdict), delete=stale), job, now)
    else:
        plan = _from_weights(model, spec, owned) if spec.weights else _from_training(model, spec, owned, settings)
        plan = replace(plan, delete=(*plan.delete, *stale), requeue_after=_until_pod(job, plan, owned, now))
    if verdict.cause.reason is Reason.ARTIFACT_LOST and plan.verdict.file is None:
        text = f"{verdict.cause.message} ({plan.trained.reason}: {plan.trained.message})"
        lost = replace(verdict, cause=Cause(Reason.ARTIFACT_LOST, text))
        inherited = TABLE[plan.trained.reason].progress
        plan = replace(plan, verdict=lost, trained=_trained(spec, lost), inherited=inherited)
    return plan


def _edited(spec: LinearModelSpec, file: ArtifactFile | None, source: ConfigMap | None, settings: Settings) -> str:
    """The message that data in a ConfigMap was edited since the training; empty if not, or if that is unknown."""
    learned = file.facts.data if file and file.facts else None
    ref = spec.source_ref
    if not (spec.training and ref and learned):
        return ""
    now = plan_data(spec, settings, source).hash
    if now in ("", learned):
        return ""
    return (
        f"key {ref.key} of ConfigMap {ref.name} was edited after the training (hash {learned}, now {now}); "
        "nothing is trained again: make a new version for that"
    )


def _with_job(plan: ModelPlan, job: Job | None, now: datetime) -> ModelPlan:
    """A Job whose artifact is sealed goes after a while."""
    if job is None:
        return plan
    left = seconds_kept(job, now) if plan.verdict.file else None
    if left is not None and left <= 0:
        return replace(plan, delete=(*plan.delete, (JOB, job.reference())))
    return replace(plan, job=job.name, requeue_after=left)


def _until_pod(job: Job | None, plan: ModelPlan, owned: OwnedObjects, now: datetime) -> float | None:
    """Seconds until a Job without a pod is checked again: no watch reports why it is refused one."""
    if job is None or plan.delete or plan.job is None:
        return None
    left = seconds_to_pod(job, owned.pods, now)
    return None if left is None else left if left > 0 else RETRY_SECONDS


def not_applied(plan: ModelPlan, cause: Cause) -> ModelPlan:
    """The plan to report if a child could not be applied: its name is taken, or the API server refuses it."""
    trained = condition(ConditionType.TRAINED, cause)
    failed = ModelPlan(Verdict(None, trained.cause), trained, requeue_after=RETRY_SECONDS)
    return replace(failed, withdrawn=plan.withdrawn, frozen=plan.frozen, serving_in=plan.serving_in)


def _trained(spec: LinearModelSpec, verdict: Verdict) -> Condition:
    if verdict.file is None:
        return condition(ConditionType.TRAINED, verdict.cause)
    if spec.weights:
        return condition(ConditionType.TRAINED, Cause(Reason.WEIGHTS_READ, f"copied to {verdict.name}"))
    samples = verdict.file.artifact.training.samples if verdict.file.artifact.training else 0
    return condition(ConditionType.TRAINED, Cause(Reason.TRAINED, f"{samples} samples, sealed in {verdict.name}"))


def _from_weights(model: Object, spec: LinearModelSpec, owned: OwnedObjects) -> ModelPlan:
    verdict = read_source(spec, owned.source, status_of(model).get("digest"))
    if verdict.file is None or owned.source is None:
        return ModelPlan(verdict, _trained(spec, verdict))
    try:
        copy = source_copy(spec, owned.source)
    except FormatError as error:
        refused = Verdict(None, Cause(Reason.INVALID_ARTIFACT, f"{source_name(spec)}: {error}"))
        return ModelPlan(refused, _trained(spec, refused))
    name = artifact_name(model, spec, verdict.file.digest)
    body = child(CONFIG_MAP, name, model, "artifact", artifact_labels(spec))
    body |= {"immutable": True, "data": {names.ARTIFACT_KEY: copy.decode()}}
    named = replace(verdict, name=name)
    return ModelPlan(named, _trained(spec, named), create=(body,))


def _from_training(model: Object, spec: LinearModelSpec, owned: OwnedObjects, settings: Settings) -> ModelPlan:
    data = plan_data(spec, settings, owned.source)
    if data.unsupported:
        return _untrained(spec, Cause(Reason.DATA_UNSUPPORTED, data.unsupported))
    name = result_name(model, spec)
    result = next((a for a in owned.artifacts if a.name == name), None)
    job = next((j for j in owned.jobs if j.name == name), None)
    if result is not None and names.ARTIFACT_KEY in result.data:
        finished = _finished(model, spec, result, settings)
        if job or finished.seal or finished.verdict.cause.reason is Reason.FORMAT_NOT_SUPPORTED:
            return replace(finished, job=name if job else None)
    ref = spec.source_ref
    absent = find_key(ref, owned.source) if ref else None
    if absent and (job is None or failure_of(job)):
        return _untrained(spec, Cause(Reason.DATA_NOT_FOUND, absent.message), job=name if job else None)
    if job is not None and not _is_spent(job, result, owned, job_annotations(spec, data.hash)):
        return _under_way(model, spec, job, owned, settings)
    # an error of an earlier try must not be taken for this one's
    old = [(JOB, job.reference())] if job else []
    old += [(CONFIG_MAP, result.body)] if result and result.data else []
    create = (make_result(model, spec), make_job(model, spec, data, settings))
    return _untrained(spec, Cause(Reason.TRAINING, f"Job {name} is being made"), create, tuple(old), name)


def _is_spent(job: Job, result: ConfigMap | None, owned: OwnedObjects, wanted: Mapping[str, str]) -> bool:
    """A Job with other settings or data that failed or has not started, or one that ended well and whose result was
    deleted, even if that was before it ended.
    """
    if has_completed(job):
        return result is None or _is_second(result, job)
    keys = (names.ANNOTATION_JOB_SETTINGS, ANNOTATION_DATA)
    is_other = job.is_readable and any(job.metadata.annotations.get(key) != wanted.get(key) for key in keys)
    return is_other and (failure_of(job) is not None or not has_begun(job, owned.pods))


def _under_way(model: Object, spec: LinearModelSpec, job: Job, owned: OwnedObjects, settings: Settings) -> ModelPlan:
    """A Job without an artifact: what it waits for, or why it failed."""
    result = next((a for a in owned.artifacts if a.name == result_name(model, spec)), None)
    create = (make_result(model, spec, job.uid),) if result is None else ()
    again = f"(Job {job.name}; {_redo('it', settings)}, or change training, its data or job, to try again)"
    if has_completed(job):
        cause = Cause(Reason.TRAINING_FAILED, f"the training ended without a result {again}")
    else:
        cause = job_progress(job, owned.pods, owned.refusal)
        if failure_of(job):
            failure = _failure(result.data.get(names.ERROR_KEY) if result else None)
            cause = Cause(Reason(failure.reason), failure.message) if failure else cause
            cause = Cause(cause.reason, f"{cause.message} {again}")
    return _untrained(spec, cause, create, job=job.name)


def _redo(job: str, settings: Settings) -> str:
    """How users start a training again whose Job is called `job`."""
    return f"delete {job}" if settings.mode is Mode.CLUSTER else "save its manifest once more"


def _is_second(result: ConfigMap, job: Job) -> bool:
    """The Job may have written to the result before this one."""
    return result.annotation(ANNOTATION_SECOND_OF) == job.uid


def _finished(model: Object, spec: LinearModelSpec, result: ConfigMap, settings: Settings) -> ModelPlan:
    verdict = check(result.data[names.ARTIFACT_KEY], spec, status_of(model).get("digest"), result.name)
    if verdict.file is None and verdict.cause.reason is not Reason.FORMAT_NOT_SUPPORTED:
        cause, is_other = verdict.cause, verdict.cause.reason is Reason.DIGEST_MISMATCH
        advice = f"{_redo(f'Job {result.name}', settings)} to try again, or make a new version"
        text = _not_repeated(model, result, cause.message, advice) if is_other else f"{cause.message}; {advice}"
        verdict = replace(verdict, cause=Cause(cause.reason, text))
    return ModelPlan(verdict, _trained(spec, verdict), seal=result.body if verdict.file else None)


def _not_repeated(model: Object, result: ConfigMap, problem: str, advice: str) -> str:
    """Why a version whose artifact was lost was trained again with another result."""
    status = status_of(model)
    before, now = status.get("software"), software_of(result.data[names.ARTIFACT_KEY])
    if before == now and "fit" in now:  # nothing but the rows decides
        return f"trained again with another result, so the data have changed: {problem}; {advice}"
    if before == now:
        return f"trained again with another result (other CPU?): {problem}; {advice}"
    versions = ", ".join(f"{name} {version}" for name, version in sorted((before or {}).items()))
    earlier = f"an earlier fit ({versions})" if versions else "an earlier fit"
    mend = f"make a new version, or restore ConfigMap {status.get('artifact') or result.name}"
    return f"trained by {earlier}, which this trainer cannot repeat: {mend} ({problem})"


def _untrained(
    spec: LinearModelSpec,
    cause: Cause,
    create: tuple[Object, ...] = (),
    delete: tuple[tuple[Kind, Object], ...] = (),
    job: str | None = None,
) -> ModelPlan:
    verdict = not_trained(spec)
    return ModelPlan(verdict, condition(ConditionType.TRAINED, cause), create, None, delete, job)


def _failure(text: str | None) -> Failure | None:
    try:
        return parse_failure(text) if text else None
    except FormatError:
        return None


def _stale(model: Object, spec: LinearModelSpec, owned: OwnedObjects) -> tuple[tuple[Kind, Object], ...]:
    """Jobs and unsealed results of an earlier `training`, which are not needed any more."""
    unsealed = [artifact for artifact in owned.artifacts if not artifact.is_immutable]
    if not owned.jobs and not unsealed:
        return ()
    jobs = [(JOB, job.reference()) for job in owned.jobs if job.is_readable and job.name != job_name(model, spec)]
    results = [(CONFIG_MAP, result.body) for result in unsealed if result.name != result_name(model, spec)]
    return (*jobs, *results)
