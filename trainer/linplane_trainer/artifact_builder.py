"""Makes an artifact from a fit. PURE: the software's versions are a parameter, the date is outside of the artifact."""

from linplane_api.artifact import Artifact, Training, with_checks
from linplane_api.facts import ColumnStatistics
from linplane_api.task import Task

from .fit.types import Fit


def build_artifact(task: Task, features: tuple[str, ...], target: str, fit: Fit, software: dict[str, str]) -> Artifact:
    """The artifact of a fit on `features`, with check rows made up from the fit's moments."""
    statistics = zip(fit.minimum, fit.maximum, fit.mean, fit.deviation, strict=True)
    training = Training(
        samples=fit.samples,
        dropped_rows=fit.dropped,
        noise=fit.noise,
        evaluation=fit.evaluation,
        fit_intercept=task.fit_intercept,
        ridge=task.ridge,
        holdout_percent=task.holdout_percent,
        seed=task.seed,
        holdout_key=task.holdout_key,
        variance_inflation=None if fit.inflation is None else tuple(fit.inflation.tolist()),
        standard_errors=None if fit.standard_errors is None else tuple(fit.standard_errors.tolist()),
        intercept_standard_error=fit.intercept_standard_error,
        feature_statistics=tuple(ColumnStatistics(*map(float, each)) for each in statistics),
        software=software,
    )
    coefficients = tuple(fit.coefficients.tolist())
    return with_checks(Artifact(features, coefficients, fit.intercept, target=target, training=training))
