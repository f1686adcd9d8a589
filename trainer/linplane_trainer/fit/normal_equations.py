"""The normal equations of a fit, in integers: one matrix, one right-hand side, and powers of two."""

from dataclasses import dataclass
from functools import cached_property

import flint
import numpy as np

from .inverses import Inverses
from .sums import Exponents, Integers, Sums, on_exponents
from .types import FitOptions


@dataclass(frozen=True)
class NormalEquations:
    """`matrix @ x = right`; coefficient j is `x[j] * 2 ** (target_exponent - exponents[j])`, an intercept first.

    `matrix` is X'X, with the penalty of a ridge on its diagonal, `penalty[j]`, and `squares` is y'y, in units of
    4 ** target_exponent. `residual_df` is n - p.
    """

    matrix: Integers
    right: Integers
    squares: int
    exponents: tuple[int, ...]
    target_exponent: int
    penalty: tuple[int, ...]
    residual_df: int
    has_intercept: bool

    @cached_property
    def integers(self) -> flint.fmpz_mat:
        """The matrix, as FLINT has it."""
        return flint.fmpz_mat(len(self.exponents), len(self.exponents), self.matrix.ravel().tolist())

    @cached_property
    def inverses(self) -> Inverses:
        """Those of the matrix."""
        return Inverses(self.integers)

    @cached_property
    def right_integers(self) -> flint.fmpz_mat:
        """The right-hand side, as FLINT has it."""
        return flint.fmpz_mat(len(self.exponents), 1, self.right.tolist())


def normal_equations(sums: Sums, options: FitOptions) -> NormalEquations:
    """Those of sums over 1, the features and the target, in this order."""
    first = 0 if options.fit_intercept else 1
    exponents, ridge = sums.exponents, options.ridge.as_integer_ratio()
    power = ridge[1].bit_length() - 1
    if options.ridge:
        exponents = exponents.copy()  # low enough for an integer penalty
        exponents[1:-1] = np.minimum(exponents[1:-1], -((power + 1) // 2))
    integers = on_exponents(sums.integers, sums.exponents, exponents)
    penalty = _penalty(ridge[0], power, exponents[first:-1], options)
    matrix = integers[first:-1, first:-1].copy()
    matrix[np.diag_indices(len(matrix))] += np.array(penalty, dtype=object)
    return NormalEquations(
        matrix,
        integers[first:-1, -1],
        int(integers[-1, -1]),
        tuple(exponents[first:-1].tolist()),
        int(exponents[-1]),
        penalty,
        sums.rows - options.size,
        options.fit_intercept,
    )


def _penalty(numerator: int, power: int, exponents: Exponents, options: FitOptions) -> tuple[int, ...]:
    """`ridge` in the unit of each diagonal element, an integer; none for the intercept."""
    if not options.ridge:
        return (0,) * options.size
    penalties = [numerator << (-power - 2 * exponent) for exponent in exponents.tolist()[-len(options.features) :]]
    return (*[0] * int(options.fit_intercept), *penalties)
