"""From exact sums to a `Fit`: each number of it is the double nearest to the exact one, for the given rows."""

import hashlib
from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

import numpy as np

from linplane_api.artifact import Evaluation
from linplane_api.facts import ColumnStatistics

from ..errors import BadData
from .checks import TOO_LARGE, check_rows, check_target, dependence_error
from .dependence import dependence
from .nearest import nearest, nearest_root
from .normal_equations import normal_equations
from .solve import Solution, inflation, solve
from .sums import Sums
from .types import Fit, FitOptions, Method


def fit_of_sums(options: FitOptions, training: Sums, holdout: Sums, dropped: int) -> Fit:
    """The fit of sums over 1, the features and the target. Raises BadData if these rows cannot give a model."""
    check_rows(options, training.rows, holdout.rows, dropped)
    check_target(bool(training.constant[-1]))
    equations = normal_equations(training, options)
    found = dependence(equations, training, options)
    if found is not None:
        constant = [number for number in found.fixed if training.constant[number + 1]]
        raise dependence_error(found, options, constant)
    first = int(options.fit_intercept)
    try:
        solution = solve(equations)
        errors = None if options.ridge else solution.errors
        means, deviations = _moments(training)
        return Fit(
            coefficients=np.array(solution.coefficients[first:]),
            intercept=solution.coefficients[0] if first else 0.0,
            samples=training.rows,
            dropped=dropped,
            noise=solution.noise,
            evaluation=_evaluate(options, solution, training, holdout),
            standard_errors=None if errors is None else np.array(errors[first:]),
            intercept_standard_error=None if errors is None or not first else errors[0],
            minimum=training.least[1:-1] + 0.0,
            maximum=training.greatest[1:-1] + 0.0,
            mean=np.array(means),
            deviation=np.array(deviations),
            repeats=_repeats(training, holdout),
            inflation=None if options.ridge else np.array(inflation(equations)[first:]),
            method=Method.EXACT,
            target=_target_statistics(training),
        )
    except OverflowError:
        raise BadData(TOO_LARGE) from None


def _evaluate(options: FitOptions, solution: Solution, training: Sums, holdout: Sums) -> Evaluation:
    """Evaluates the coefficients as they are served, on the rows held out, else on those fitted."""
    rows = holdout if holdout.rows else training
    intercept = [] if options.fit_intercept else [0.0]
    rss = rows.quadratic_form([*intercept, *solution.coefficients, -1.0])
    tss = _centred(rows, len(options.features) + 1)
    r2 = None if not tss else nearest(1 - rss / tss)
    on: Literal["Holdout", "Training"] = "Holdout" if holdout.rows else "Training"
    return Evaluation(on, rows.rows, nearest(rss / rows.rows), r2, _rows_digest(rows))


def _rows_digest(sums: Sums) -> str:
    """SHA-256 of count, sum, sum of squares, least and greatest of the rows' target, as text: the same for the same
    rows in any order.
    """
    target = len(sums.exponents) - 1
    numbers = (sums.entry(0, target), sums.entry(target, target), *map(Fraction, (sums.least[-1], sums.greatest[-1])))
    text = " ".join(map(str, (sums.rows, *numbers)))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _moments(sums: Sums) -> tuple[Sequence[float], Sequence[float]]:
    """The mean and the sample's standard deviation (n - 1) of each feature."""
    features = range(1, len(sums.exponents) - 1)
    return [_mean(sums, feature) for feature in features], [_deviation(sums, feature) for feature in features]


def _target_statistics(sums: Sums) -> ColumnStatistics | None:
    target = len(sums.exponents) - 1
    try:
        mean, deviation = _mean(sums, target), _deviation(sums, target)
    except OverflowError:
        return None
    return ColumnStatistics(float(sums.least[-1]) + 0.0, float(sums.greatest[-1]) + 0.0, mean, deviation)


def _mean(sums: Sums, column: int) -> float:
    return nearest(sums.entry(0, column) / sums.rows)


def _deviation(sums: Sums, column: int) -> float:
    return nearest_root(_centred(sums, column) / max(sums.rows - 1, 1))


def _centred(sums: Sums, column: int) -> Fraction:
    """A column's sum of squares about its mean."""
    return sums.entry(column, column) - sums.entry(0, column) ** 2 / sums.rows


def _repeats(*parts: Sums) -> tuple[int, ...]:
    """The features, by number, that equal the target in every row: the sum of (x - y)^2 is zero."""
    target = len(parts[0].exponents) - 1
    return tuple(column - 1 for column in range(1, target) if not any(_differs(sums, column, target) for sums in parts))


def _differs(sums: Sums, column: int, target: int) -> bool:
    return sums.entry(column, column) - 2 * sums.entry(column, target) + sums.entry(target, target) != 0
