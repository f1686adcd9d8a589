"""The usual statistics of a linear fit, from what an artifact's file has of it. All are of the rows that were fitted.

n rows, p coefficients, an intercept counted; RSS is the residual sum of squares, TSS that of the target about its mean.
D. C. Montgomery, E. A. Peck, G. G. Vining, Introduction to Linear Regression Analysis, chapters 2 and 3.
"""

import math
from typing import TYPE_CHECKING

import msgspec

from .student import student_quantile

if TYPE_CHECKING:
    from linplane_api.artifact import ArtifactFile

CONFIDENCE = 0.95


class Coefficient(msgspec.Struct, frozen=True, rename="camel"):
    """One coefficient. `t` is value / standard error; between `low` and `high` is its 95 % confidence interval, value
    -+ t(0.975, n - p) standard errors, for independent errors of one normal distribution. None is unknown.
    """

    name: str
    value: float
    standard_error: float | None = None
    t: float | None = None
    low: float | None = None
    high: float | None = None
    variance_inflation: float | None = None


class FitStatistics(msgspec.Struct, frozen=True, rename="camel"):
    """Statistics of the fit as a whole; None is unknown, or not defined, as all but the first two are with ridge.

    `degrees` is n - p; `r2` = 1 - RSS / TSS, also without an intercept; `adjusted_r2` = 1 - (RSS / (n - p)) / (TSS / (n
    - 1)). `f` tests that every coefficient but the intercept is 0, with `f_degrees` (without an intercept about zero):
    the explained mean square by RSS / (n - p). `aic` = -2 ln L + 2 p and `bic` = -2 ln L + p ln n, with -2 ln L = n
    (ln(2 pi RSS / n) + 1), as statsmodels has them; R counts the noise as one more coefficient.
    """

    noise: float | None
    degrees: int
    r2: float | None = None
    adjusted_r2: float | None = None
    f: float | None = None
    f_degrees: tuple[int, int] | None = None
    aic: float | None = None
    bic: float | None = None


def coefficients_of(file: "ArtifactFile") -> list[Coefficient]:
    """The intercept, unless none was fitted, and the coefficients, in the features' order."""
    artifact, training = file.artifact, file.artifact.training
    named = list(zip(artifact.features, artifact.coefficients, strict=True))
    if training is None:
        return [Coefficient(name, value) for name, value in (("intercept", artifact.intercept), *named)]
    degrees = training.samples - _size(file)
    reach = student_quantile((1 + CONFIDENCE) / 2, degrees) if training.standard_errors and degrees > 0 else None
    errors = training.standard_errors or (None,) * len(named)
    factors = training.variance_inflation or (None,) * len(named)
    found = [
        _coefficient(*one, error, reach, factor) for one, error, factor in zip(named, errors, factors, strict=True)
    ]
    if not training.fit_intercept:
        return found
    return [_coefficient("intercept", artifact.intercept, training.intercept_standard_error, reach, None), *found]


def _coefficient(
    name: str, value: float, error: float | None, reach: float | None, factor: float | None
) -> Coefficient:
    if error is None or reach is None:
        return Coefficient(name, value, error, variance_inflation=factor)
    t = value / error if error else None
    return Coefficient(name, value, error, t, value - reach * error, value + reach * error, factor)


def statistics_of(file: "ArtifactFile") -> FitStatistics | None:
    """The statistics; None for weights written by hand. R2 and F need the facts of this release's trainer."""
    training, target = file.artifact.training, file.facts.target if file.facts else None
    if training is None:
        return None
    rows, size, noise = training.samples, _size(file), training.noise
    degrees, features = rows - size, len(file.artifact.features)
    if not noise or degrees <= 0 or training.ridge:
        return FitStatistics(noise, degrees)
    deviance = rows * (math.log(2 * math.pi) + 2 * math.log(noise) + math.log(degrees / rows) + 1)
    found = FitStatistics(noise, degrees, aic=deviance + 2 * size, bic=deviance + size * math.log(rows))
    if target is None or not target.standard_deviation:
        return found
    total = (target.standard_deviation / noise) * (target.standard_deviation / noise) * (rows - 1)  # TSS / noise^2
    about_zero = 0.0 if training.fit_intercept else rows * (target.mean / noise) * (target.mean / noise)
    f = (total + about_zero - degrees) / features
    if not math.isfinite(f):
        return found
    r2, adjusted_r2 = 1 - degrees / total, 1 - (rows - 1) / total
    return msgspec.structs.replace(found, r2=r2, adjusted_r2=adjusted_r2, f=f, f_degrees=(features, degrees))


def _size(file: "ArtifactFile") -> int:
    training = file.artifact.training
    return len(file.artifact.features) + int(training is not None and training.fit_intercept)
