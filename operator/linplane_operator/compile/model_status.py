"""A LinearModel's conditions and status, from its plan and what came of it."""

from collections.abc import Sequence

import msgspec

from linplane_api.conditions import Cause, Condition, ConditionType, Reason
from linplane_api.facts import MAX_SOFTWARE, MAX_VERSION, MAX_WARNINGS, Facts, TrainingWarning, WarningReason
from linplane_api.resources import Coefficient, LinearModelStatus, plain

from .conditions import condition, merge_conditions
from .kstatus import with_progress
from .model_plan import ModelPlan, not_applied
from .objects import Object, generation_of, status_of
from .outcome import Outcome, Result

LISTED_COEFFICIENTS = 32


def model_outcome(model: Object, plan: ModelPlan, problem: Cause | None, now: str) -> Outcome:
    """The outcome of a plan. `problem`: why not all of it could be applied. `now`: RFC 3339."""
    plan = not_applied(plan, problem) if problem else plan
    wanted = with_progress((plan.trained, *validated_and_ready(plan), plan.withdrawn), plan.inherited)
    conditions = merge_conditions(wanted, status_of(model), generation_of(model), now)
    return Outcome(plain(model_status(model, plan, conditions)), Result(plan.requeue_after))


def validated_and_ready(plan: ModelPlan) -> tuple[Condition, Condition]:
    """The two conditions that follow from the plan's verdict."""
    verdict, cause = plan.verdict, plan.verdict.cause
    kinds = (ConditionType.VALIDATED, ConditionType.READY)
    if verdict.file is None and cause.reason is Reason.NOT_TRAINED:
        return condition(kinds[0], cause), condition(kinds[1], plan.trained.cause)
    if verdict.file is None or verdict.missed:
        return condition(kinds[0], cause), condition(kinds[1], cause)
    ready = f"{cause.message}; frozen, so it is not routed to" if plan.frozen else cause.message
    return condition(kinds[0], cause), condition(kinds[1], Cause(cause.reason, ready))


def model_status(model: Object, plan: ModelPlan, conditions: Sequence[Condition]) -> LinearModelStatus:
    """The whole status. The digest, once known, stays; so does everything learned if the artifact was lost."""
    learned = _learned(plan) if plan.verdict.file else _kept(status_of(model))
    return msgspec.structs.replace(
        learned,
        observed_generation=generation_of(model),
        conditions=tuple(conditions),
        job=plan.job,
        serving_in=plan.serving_in or None,  # an applied list that gets empty goes, and would be written again
    )


def _learned(plan: ModelPlan) -> LinearModelStatus:
    file = plan.verdict.file
    assert file is not None
    artifact, training, facts = file.artifact, file.artifact.training, file.facts or Facts()
    warnings = facts.warnings
    if plan.edited:
        warnings = (*warnings, TrainingWarning(WarningReason.DATA_EDITED, plan.edited))[-MAX_WARNINGS:]
    pairs = list(zip(artifact.features, artifact.coefficients, strict=True))[:LISTED_COEFFICIENTS]
    return LinearModelStatus(
        trained_at=file.trained_at,
        samples=training.samples if training else None,
        dropped_rows=training.dropped_rows if training else None,
        noise=training.noise if training else None,
        intercept=artifact.intercept,
        coefficients=tuple(Coefficient(feature, value) for feature, value in pairs),
        coefficient_count=len(artifact.coefficients),
        evaluation=msgspec.structs.replace(training.evaluation, r2=file.r2) if training else None,
        mse_summary=_figure(training.evaluation.mse) if training else None,
        r2_summary=_figure(file.r2) if training else None,
        warnings=warnings or None,
        warning_summary=", ".join(warning.reason for warning in warnings) or None,
        left_out=facts.left_out or None,
        left_out_count=facts.left_out_count or None,
        software=_listed(training.software) if training else None,
        digest=file.digest,
        artifact=plan.verdict.name,
    )


def _listed(software: dict[str, str]) -> dict[str, str]:
    """As much of it as a status has room for: an artifact that was edited may name anything."""
    return {name: version[:MAX_VERSION] for name, version in sorted(software.items())[:MAX_SOFTWARE]}


def _figure(value: float | None) -> str:
    """As `linplane train` prints it: a column of `kubectl get` cannot round."""
    return "-" if value is None else f"{value:.6g}"


def _kept(before: Object) -> LinearModelStatus:
    if not before.get("digest"):
        return LinearModelStatus()
    learned = {key: value for key, value in before.items() if key not in ("conditions", "servingIn")}
    try:
        return msgspec.convert(learned, LinearModelStatus)
    except msgspec.ValidationError:  # edited past the CRD
        return LinearModelStatus(digest=str(before["digest"]))
