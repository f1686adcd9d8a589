"""From the triangular factor of [1 Z y] to coefficients, standard errors and sums of squares, in scaled units."""

from dataclasses import dataclass

import numpy as np

from ...batch import Floats
from ..checks import Dependence
from .qr import triangle_of

EPSILON = float(np.finfo(np.float64).eps)
INVOLVED = 0.01  # of the largest share in a dependence: a column below it is not named


@dataclass(frozen=True)
class Solution:
    """`beta` solves the scaled problem, shape (p,), an intercept first; `inverse` is that of the factor, (p, p)."""

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
    """Back substitution. `triangle` is that of [A b], (p + 1, p + 1); A has full rank, see `dependent_columns`."""
    size = len(triangle) - 1
    both = np.linalg.solve(triangle[:size, :size], np.hstack((triangle[:size, size:], np.eye(size)))).astype(np.float64)
    return Solution(both[:, 0], both[:, 1:])


def rss_of(triangle: Floats, beta: Floats) -> float:
    """The residual sum of squares of any coefficients, on the rows behind `triangle`."""
    return float(np.square(triangle @ np.append(beta, -1.0)).sum())


def rss_of_solution(triangle: Floats) -> float:
    """The same for the coefficients that solve this triangle: the square of its last diagonal element, so that no
    digit is lost.
    """
    return float(np.square(triangle[-1, -1]))


def tss_of(triangle: Floats, intercept: bool) -> float:
    """The target's total sum of squares, about its mean with an intercept, about zero without."""
    return float(np.square(triangle[int(intercept) :, -1]).sum())


def dependent_columns(triangle: Floats, intercept: bool, rounding: Floats, blocks: int) -> Dependence | None:
    """The features that are an exact linear combination of each other (or of the intercept), as far as
    doubles can show; None if there are none.

    Evaluation on columns of length one after the mean is taken out, so neither units nor means matter. A singular value
    counts as zero if the rounding of the data alone could have made it: `rounding` is that of each column (shape
    (features,), the length of a column of half units in the last place, in scaled units), to which comes what the QR
    of `blocks` blocks leaves.
    """
    first = int(intercept)
    core = triangle[first:-1, first:-1]
    lengths = np.sqrt(np.square(core).sum(axis=0))
    fixed = lengths <= 4 * rounding
    varying = np.flatnonzero(~fixed)
    null = np.zeros((0, len(varying)))
    if len(varying):
        _, values, vectors = np.linalg.svd(core[:, varying] / lengths[varying])
        allowed = 4 * (np.abs(vectors) @ (rounding / lengths)[varying])
        allowed += EPSILON * (8 * len(core) + 4 * np.sqrt(blocks))
        null = vectors[values <= allowed]
    if not fixed.any() and not len(null):
        return None
    share = np.abs(null).max(axis=0, initial=0.0)
    involved = varying[share > INVOLVED * share.max(initial=0.0)]
    return Dependence(np.flatnonzero(fixed).tolist(), involved.tolist(), varying[_surplus(null)].tolist())


def _surplus(null: Floats) -> list[int]:
    """As many columns as `null` has rows, such that these determine the others in it: a null vector that is zero there
    is zero. Later columns first, as R's `lm` does; by pivots of at least half of the largest, so that it is sound.
    """
    rest, chosen = null.copy(), []
    for _ in range(len(null)):
        sizes = np.sqrt(np.square(rest).sum(axis=0))
        column = int(np.flatnonzero(sizes >= sizes.max() / 2)[-1])
        chosen.append(column)
        direction = rest[:, column] / sizes[column]
        rest -= np.outer(direction, direction @ rest)
    return sorted(chosen)
