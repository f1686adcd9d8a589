"""From the triangular factor of [1 Z y] to coefficients, standard errors and sums of squares, in scaled units."""

from dataclasses import dataclass

import numpy as np

from .factor import triangle_of
from .scaling import Floats

EPSILON = float(np.finfo(np.float64).eps)
INVOLVED = 0.01  # of the largest share in a dependence: below, a column is not named


@dataclass(frozen=True)
class Solution:
    """`beta` solves the scaled problem, shape (p,), intercept first where there is one; `inverse` is that of the
    factor, (p, p).
    """

    beta: Floats
    inverse: Floats


def with_penalty(triangle: Floats, weights: Floats, intercept: bool) -> Floats:
    """The factor of the same rows and one more `weights[j] * beta[j] = 0` for each feature; none for the intercept.

    So ridge regression is one more least-squares problem (Golub & Van Loan, 6.1.4), and is solved like one.
    """
    penalty = np.zeros((len(weights), len(triangle)))
    first = int(intercept)
    penalty[:, first : first + len(weights)] = np.diag(weights)
    return triangle_of(np.vstack((triangle, penalty)))


def solve(triangle: Floats) -> Solution:
    """Back substitution. `triangle` is that of [A b], shape (p + 1, p + 1), and A has full rank (see `dependent`)."""
    size = len(triangle) - 1
    both = np.linalg.solve(triangle[:size, :size], np.hstack((triangle[:size, size:], np.eye(size)))).astype(np.float64)
    return Solution(both[:, 0], both[:, 1:])


def residual_squares(triangle: Floats, beta: Floats) -> float:
    """The sum of squared residuals of any coefficients, on the rows behind `triangle`."""
    return float(np.square(triangle @ np.append(beta, -1.0)).sum())


def least_squares_remainder(triangle: Floats) -> float:
    """The same for the coefficients that solve that very triangle: its last diagonal element, squared; no digit is
    lost.
    """
    return float(np.square(triangle[-1, -1]))


def total_squares(triangle: Floats, intercept: bool) -> float:
    """The target's sum of squares, around its mean with an intercept, around zero without."""
    return float(np.square(triangle[int(intercept) :, -1]).sum())


def dependent(triangle: Floats, intercept: bool, rounding: Floats, blocks: int) -> list[int]:
    """The features, by number, that are an exact linear combination of each other (or of the intercept), as far as
    doubles can tell.

    Judged on columns of length one after the mean is taken out, so neither units nor means matter. A singular value
    is zero where the rounding of the data alone could have made it: `rounding` is that of each column (shape
    (features,), the length of a column of half units in the last place, in scaled units), to which comes what the QR
    of `blocks` blocks leaves.
    """
    first = int(intercept)
    core = triangle[first:-1, first:-1]
    lengths = np.sqrt(np.square(core).sum(axis=0))
    vanished = lengths <= 4 * rounding
    if vanished.any():
        return [int(number) for number in np.flatnonzero(vanished)]
    _, values, vectors = np.linalg.svd(core / lengths)
    allowed = 4 * (np.abs(vectors) @ (rounding / lengths)) + EPSILON * (8 * len(core) + 4 * np.sqrt(blocks))
    null = vectors[values <= allowed]
    if not len(null):
        return []
    share = np.abs(null).max(axis=0)
    return [int(number) for number in np.flatnonzero(share > INVOLVED * share.max())]
