"""From a triangular factor and moments to a `Fit` in the data's own units, or to an error that says why not."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from linplane_api.artifact import Evaluation
from linplane_api.facts import ColumnStatistics

from ...batch import Floats
from ...errors import BadData
from ..checks import TOO_LARGE, check_rows, check_target, dependence_error
from ..types import Fit, FitOptions, Method
from .moments import Moments
from .qr import Factor
from .scaling import Scaling
from .solve import EPSILON, Solution, dependent_columns, rss_of, rss_of_solution, solve, tss_of, with_penalty


@dataclass(frozen=True)
class RowSet:
    """Statistics of the rows that are fitted, or of those held out: the factor in scaled units, the moments in those
    of the data.
    """

    factor: Factor
    moments: Moments


@dataclass(frozen=True)
class SufficientStatistics:
    """All that a fit needs of the rows. `blocks` is how many times rows were folded in; `repeats` as in `Fit`."""

    options: FitOptions
    scaling: Scaling
    training: RowSet
    holdout: RowSet
    dropped: int
    blocks: int
    repeats: tuple[int, ...]


def solve_fit(statistics: SufficientStatistics) -> Fit:
    """Solves. Raises BadData if these rows cannot give a model."""
    with np.errstate(all="ignore"):  # a result that is not finite is reported at the end
        training, held = statistics.training, statistics.holdout.factor.rows
        check_rows(statistics.options, training.factor.rows, held, statistics.dropped)
        check_target(bool(training.moments.constant[-1]))
        fit = _fit(statistics)
    if not all(map(math.isfinite, _numbers(fit))):
        raise BadData(TOO_LARGE)
    return fit


def _fit(statistics: SufficientStatistics) -> Fit:
    options, scaling, moments = statistics.options, statistics.scaling, statistics.training.moments
    triangle = statistics.training.factor.triangle
    weights = np.ldexp(math.sqrt(options.ridge), -scaling.exponents[:-1])
    penalised = with_penalty(triangle, weights, options.fit_intercept) if options.ridge else triangle
    _check_rank(statistics, penalised)
    solution = solve(penalised)
    rss = rss_of(triangle, solution.beta) if options.ridge else rss_of_solution(triangle)
    residual_df = statistics.training.factor.rows - options.size
    noise = math.sqrt(rss / residual_df) if residual_df > 0 else None
    errors = None if noise is None or options.ridge else _standard_errors(statistics, solution, noise)
    first = int(options.fit_intercept)
    coefficients = np.ldexp(solution.beta[first:], scaling.exponents[-1] - scaling.exponents[:-1])
    coefficients = coefficients + 0.0  # no negative zero, which JSON's canonical form does not have
    return Fit(
        coefficients=coefficients,
        intercept=_intercept(scaling, solution, coefficients) if first else 0.0,
        samples=statistics.training.factor.rows,
        dropped=statistics.dropped,
        noise=None if noise is None else float(np.ldexp(noise, scaling.exponents[-1])),
        evaluation=_evaluate(statistics, solution, rss),
        standard_errors=None if errors is None else errors[first:],
        intercept_standard_error=None if errors is None or not first else float(errors[0]),
        minimum=moments.minimum[:-1],
        maximum=moments.maximum[:-1],
        mean=moments.mean[:-1],
        deviation=moments.deviation[:-1],
        repeats=statistics.repeats,
        inflation=None,
        method=Method.FACTOR,
        target=_target_statistics(moments),
    )


def _target_statistics(moments: Moments) -> ColumnStatistics | None:
    figures = [float(one[-1]) for one in (moments.minimum, moments.maximum, moments.mean, moments.deviation)]
    return ColumnStatistics(*figures) if all(map(math.isfinite, figures)) else None


def _check_rank(statistics: SufficientStatistics, triangle: Floats) -> None:
    if not np.isfinite(np.square(triangle).sum()):
        raise BadData(TOO_LARGE)
    options, moments = statistics.options, statistics.training.moments
    largest = np.maximum(np.abs(moments.minimum), np.abs(moments.maximum))[:-1]
    unit = EPSILON / 2 * math.sqrt(moments.rows)
    rounding = np.ldexp(largest, -statistics.scaling.exponents[:-1]) * unit
    found = dependent_columns(triangle, options.fit_intercept, rounding, statistics.blocks)
    if found is not None:
        raise dependence_error(found, options, [number for number in found.fixed if moments.constant[number]])


def _intercept(scaling: Scaling, solution: Solution, coefficients: Floats) -> float:
    """The intercept in the data's units, in exact arithmetic: with means far from zero this sum loses digits."""
    if not (np.isfinite(coefficients).all() and np.isfinite(solution.beta).all()):
        raise BadData(TOO_LARGE)
    total = scaling.centre(-1) + Fraction(float(solution.beta[0])) * Fraction(2) ** int(scaling.exponents[-1])
    for number, value in enumerate(coefficients):
        total -= Fraction(float(value)) * scaling.centre(number)
    try:
        return float(total) + 0.0
    except OverflowError as error:
        raise BadData(TOO_LARGE) from error


def _standard_errors(statistics: SufficientStatistics, solution: Solution, noise: float) -> Floats:
    """Standard errors in units of the data, that of an intercept first. `noise` is in scaled units.

    They are noise times the lengths of the rows of the inverse factor: (R'R)^-1 is its product with its transpose.
    """
    scaling, rows = statistics.scaling, solution.inverse
    powers = scaling.exponents[-1] - scaling.exponents[:-1]
    if statistics.options.fit_intercept:
        shift = np.append(1.0, -scaling.offsets[:-1])  # intercept = beta0 - sum of beta_j offset_j, but for a constant
        rows = np.vstack((shift @ rows, rows[1:]))
        powers = np.append(scaling.exponents[-1], powers)
    errors: Floats = np.ldexp(noise * np.sqrt(np.square(rows).sum(axis=1)), powers)
    return errors


def _evaluate(statistics: SufficientStatistics, solution: Solution, training_rss: float) -> Evaluation:
    """Evaluates on the rows held out, else on those fitted, whose RSS is given."""
    has_holdout = statistics.holdout.factor.rows > 0
    rows = statistics.holdout if has_holdout else statistics.training
    triangle = rows.factor.triangle
    rss = rss_of(triangle, solution.beta) if has_holdout else training_rss
    exponent = statistics.scaling.exponents[-1]
    if statistics.options.fit_intercept:
        tss = tss_of(triangle, intercept=True)
    else:  # the factor has no column of ones to take the mean out with
        tss = (rows.moments.rows - 1) * float(np.ldexp(rows.moments.deviation[-1], -exponent)) ** 2
    r2 = None if rows.moments.constant[-1] or not tss else 1 - rss / tss
    mse = float(np.ldexp(rss / rows.factor.rows, 2 * exponent))
    return Evaluation("Holdout" if has_holdout else "Training", rows.factor.rows, mse, r2)


def _numbers(fit: Fit) -> Iterator[float]:
    for array in (fit.coefficients, fit.standard_errors, fit.minimum, fit.maximum, fit.mean, fit.deviation):
        yield from () if array is None else array.tolist()
    for number in (fit.intercept, fit.noise, fit.intercept_standard_error, fit.evaluation.mse, fit.evaluation.r2):
        yield 0.0 if number is None else number
