"""What residuals of a sample of rows say: e = target - prediction, of the coefficients as they are served.

Every prediction is the number that a server gives (`linplane_api.blocks`), and every sum is exact (Shewchuk's
algorithm), so neither the order of the rows nor the machine changes a bit.
"""

import math
from itertools import pairwise
from typing import Literal

import numpy as np

from linplane_api.artifact import PredictionError, ResidualQuantile
from linplane_api.blocks import predict_block
from linplane_api.facts import ResidualGroup, Residuals

from ..batch import Floats

PERCENTS = (50, 80, 90, 95, 99)
"""The quantiles of the absolute residuals."""
GROUPS = 20
GROUP_ROWS = 10
"""The least rows in a group: a mean of fewer says little, and much of each row."""
TWENTIETHS = range(1, 20)


def residuals_of(coefficients: Floats, intercept: float, rows: Floats) -> tuple[Floats, Floats] | None:
    """Predictions and residuals of rows of shape (n, features + 1), the target last; None if one is not finite."""
    try:
        fitted = predict_block(coefficients.tolist(), intercept, rows[:, :-1])
    except PredictionError:
        return None
    with np.errstate(over="ignore"):
        residuals = rows[:, -1] - fitted + 0.0
    return (fitted, residuals) if np.isfinite(residuals).all() else None


def absolute_quantiles(residuals: Floats) -> tuple[ResidualQuantile, ...] | None:
    """Quantiles of the absolute residuals of n rows that were not fitted: the `ceil((n + 1) level)`-th smallest, for
    each level for which there are so many; None if there is no such level.

    A further row like these has a residual of at most that size with a probability of at least the level (split
    conformal prediction: V. Vovk, A. Gammerman, G. Shafer, Algorithmic Learning in a Random World, 2005, 4.2).
    """
    sizes, found = np.sort(np.abs(residuals)), []
    for percent in PERCENTS:
        rank = -(-(len(sizes) + 1) * percent // 100)
        if rank <= len(sizes):
            found.append(ResidualQuantile(percent, float(sizes[rank - 1])))
    return tuple(found) or None


def summary(
    on: Literal["Holdout", "Training"], fitted: Floats, residuals: Floats, noise: float | None
) -> Residuals | None:
    """The summary of the residuals of at least one row; None if a figure of it is larger than any double. `noise` None
    or 0: without standardized residuals.
    """
    try:
        groups = tuple(_groups(fitted, residuals))
    except OverflowError:
        return None
    ordered = np.sort(residuals)
    ranks = [-(-len(ordered) * twentieth // 20) for twentieth in TWENTIETHS]
    with np.errstate(over="ignore"):
        standardized = ordered[[rank - 1 for rank in ranks]] / noise if noise else np.empty(0)
    if not (np.isfinite(standardized).all() and all(math.isfinite(one.deviation) for one in groups)):
        return None
    return Residuals(on, len(residuals), groups, tuple((standardized + 0.0).tolist()))


def _groups(fitted: Floats, residuals: Floats) -> list[ResidualGroup]:
    """As many rows in each as possible, to one row: by fitted value, of equal ones by residual."""
    order, count = np.lexsort((residuals, fitted)), len(fitted)
    number = min(GROUPS, count // GROUP_ROWS)
    if not number:
        return []
    bounds = [count * group // number for group in range(number + 1)]
    return [_group(fitted[order[start:end]], residuals[order[start:end]]) for start, end in pairwise(bounds)]


def _group(fitted: Floats, residuals: Floats) -> ResidualGroup:
    count = len(residuals)
    mean = math.fsum(residuals) / count
    with np.errstate(over="ignore"):
        squares = math.fsum(np.square(residuals - mean))
    return ResidualGroup(count, math.fsum(fitted) / count + 0.0, mean + 0.0, math.sqrt(squares / (count - 1)))
