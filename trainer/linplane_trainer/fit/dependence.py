"""Which columns a fit cannot have all of: exactly dependent ones, and those that are so as far as doubles show."""

import math
from collections.abc import Sequence

import flint
import numpy as np

from ..batch import Floats
from .checks import Dependence
from .inverses import Inverses, symmetric
from .normal_equations import NormalEquations
from .sums import Sums
from .types import FitOptions

PRIMES = (9223372036854775783, 9223372036854775643)  # the largest below 2^63
ACCURACY = 30  # bits, for a comparison with an estimate
MORE_ACCURACY = 330  # if columns are taken out again: differences of numbers up to 2^200 times as large
INVOLVED = 0.01  # of the largest share in a dependence: a column below it is not named
UNIT = 2.0**-53
SURE = 4.0
"""A distance below so many times what rounding alone can make is no evidence."""


def dependence(equations: NormalEquations, sums: Sums, options: FitOptions) -> Dependence | None:
    """The features that depend on each other, or on the intercept; None if there are none.

    The rank modulo a prime is never above that of the integers, so a full rank there is certain. A matrix that is
    singular modulo two primes of 63 bits is taken as singular, and its reduced form modulo the prime names the
    columns. The others are judged by their distance from each other: see `_near`.
    """
    size = len(equations.exponents)
    involved, surplus = _exact(equations.integers)
    kept = [column for column in range(size) if column not in surplus]
    rounding = _rounding(equations, sums, options)[kept]
    inverses = equations.inverses if len(kept) == size else Inverses(_block(equations.integers, kept))
    near, more = _near(inverses, rounding, options.fit_intercept)
    involved = sorted({*involved, *(kept[column] for column in near)})
    surplus = sorted({*surplus, *(kept[column] for column in more)})
    return _as_features(involved, surplus, sums, options) if surplus else None


def _as_features(involved: Sequence[int], surplus: Sequence[int], sums: Sums, options: FitOptions) -> Dependence:
    """The same by the numbers of features; what does not vary is apart from the columns that are combinations."""
    first = int(options.fit_intercept)
    constant = sums.constant[1:-1] if first else (sums.least[1:-1] == 0) & (sums.greatest[1:-1] == 0)
    features = [column - first for column in surplus if column >= first]
    fixed = [feature for feature in features if constant[feature]]
    rest = [feature for feature in features if not constant[feature]]
    others = [column - first for column in involved if column >= first and not constant[column - first]]
    return Dependence(fixed, others if rest else [], rest)


def _exact(matrix: flint.fmpz_mat) -> tuple[list[int], list[int]]:
    """The columns that are exactly dependent, and those of them that depend on the columns before them."""
    size = matrix.nrows()
    for prime in PRIMES:
        modular = flint.nmod_mat(matrix, prime)
        if modular.rank() == size:
            return [], []
    reduced, rank = modular.rref()
    nonzero = [[column for column in range(size) if int(reduced[row, column])] for row in range(rank)]
    pivots = [columns[0] for columns in nonzero]
    free = sorted(set(range(size)) - set(pivots))
    bound = [columns[0] for columns in nonzero if set(columns) & set(free)]
    return sorted((*free, *bound)), free


def _rounding(equations: NormalEquations, sums: Sums, options: FitOptions) -> Floats:
    """The length of a column of half units in the last place, relative to the column's length; none for the ones."""
    first = 0 if options.fit_intercept else 1
    largest = np.maximum(np.abs(sums.least), np.abs(sums.greatest))[first:-1]
    shifts = [
        length + exponent for length, exponent in zip(equations.inverses.shifts, equations.exponents, strict=True)
    ]
    relative: Floats = np.ldexp(largest, -np.array(shifts, dtype=np.int32)) * (UNIT * math.sqrt(sums.rows))
    if options.fit_intercept:
        relative[0] = 0
    return relative


def _block(matrix: flint.fmpz_mat, columns: Sequence[int]) -> flint.fmpz_mat:
    return flint.fmpz_mat(len(columns), len(columns), [matrix[row, column] for row in columns for column in columns])


def _near(inverses: Inverses, rounding: Floats, has_ones: bool) -> tuple[list[int], list[int]]:
    """The columns that depend on each other as far as doubles show, and as many of them, the last ones first, as leave
    the rest independent. `rounding` is relative to the columns' lengths.
    """
    columns = list(range(inverses.matrix.nrows()))
    if not columns:
        return [], []
    inverse = inverses.accurate(ACCURACY)
    if inverse is None:
        return columns, columns[-1:]
    if not _too_near(_middles(inverse), rounding).any():
        return [], []
    involved: set[int] = set()
    surplus: list[int] = []
    spreads = _spreads(inverses.matrix, has_ones)
    inverse = inverses.accurate(MORE_ACCURACY)
    while inverse is not None and columns:
        relative = _middles(inverse)
        near = _too_near(relative, rounding[columns])
        if not near.any():
            break
        share = np.abs(relative[int(np.argmax(near))]) * spreads[columns]
        part = share > INVOLVED * share.max()
        involved |= {columns[number] for number in np.flatnonzero(part)}
        gone = int(np.flatnonzero(part & (near > 0))[-1])
        surplus.append(columns.pop(gone))
        inverse = _without(inverse, gone)
    return sorted(involved), sorted(surplus)


def _too_near(relative: Floats, rounding: Floats) -> Floats:
    """How much nearer each column is to combinations of the others than rounding can show, 0 if it is not.

    With D the inverse, column j is 1 / sqrt(D_jj) away from all combinations of the others, and the nearest one has the
    factors -D_jk / D_jj: rounding of the columns alone moves it by sum_k |D_jk / D_jj| rounding_k.
    """
    diagonal = relative.diagonal()
    ratio: Floats = SURE * (np.abs(relative) @ rounding) / np.sqrt(diagonal)
    return np.where(ratio >= 1, ratio, 0.0)


def _middles(inverse: flint.arb_mat) -> Floats:
    """The middles of the balls, rounded."""
    return np.array(symmetric(inverse.nrows(), lambda row, column: float(inverse[row, column].mid())))


def _spreads(matrix: flint.fmpz_mat, has_ones: bool) -> Floats:
    """Each column's deviation from its mean relative to its length; relative to zero without a column of ones."""
    if not has_ones:
        return np.ones(matrix.nrows())
    ratios = (
        1 - flint.fmpq(matrix[0, column] ** 2, matrix[0, 0] * matrix[column, column])
        for column in range(1, matrix.nrows())
    )
    return np.sqrt([0.0, *(int(ratio.p) / int(ratio.q) for ratio in ratios)])


def _without(inverse: flint.arb_mat, gone: int) -> flint.arb_mat:
    """The inverse of the matrix without one row and column: D - D_k D_k' / D_kk."""
    kept = [column for column in range(inverse.nrows()) if column != gone]
    size = len(kept)
    with flint.ctx.workprec(1 << 12):
        block = flint.arb_mat(size, size, [inverse[row, column] for row in kept for column in kept])
        column = flint.arb_mat(size, 1, [inverse[row, gone] for row in kept])
        return block - column * column.transpose() * (1 / inverse[gone, gone])
