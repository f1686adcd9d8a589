"""From normal equations to the doubles nearest to their exact solution.

Ball arithmetic of more and more bits decides most numbers; what is left at the end is exactly zero, or exactly
between two doubles, and is computed as a fraction: J. D. Dixon, "Exact solution of linear equations using p-adic
expansions", Numerische Mathematik 40 (1982).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import flint

from .nearest import nearest, nearest_in_ball, nearest_root
from .normal_equations import NormalEquations
from .sums import scaled

TRIES = 3
"""With twice as many bits each time."""
ACCURACIES = (64, 128, 256)


@dataclass(frozen=True)
class Solution:
    """Each number is the double nearest to the exact one. Lists follow the columns, an intercept first.

    `noise` is sqrt(RSS / (n - p)), None if n <= p, and so are `errors`: noise times the root of the inverse's diagonal.
    """

    coefficients: list[float]
    noise: float | None
    errors: list[float] | None


def solve(equations: NormalEquations) -> Solution:
    """Solves equations of full rank: see `dependence`. Raises OverflowError if a result is larger than any double."""
    found: list[float | None] = []
    for attempt in range(TRIES):
        bits = equations.inverses.first_bits << attempt
        balls = equations.inverses.at(bits)
        if balls is not None:
            with flint.ctx.workprec(bits):
                found = list(_by_balls(equations, balls))
            if None not in found:
                break
    return _solution(equations, found if found and None not in found else list(_by_fractions(equations, found)))


def inflation(equations: NormalEquations) -> list[float]:
    """The variance inflation factor of each column (D. W. Marquardt, Technometrics 12, 1970): 1 / (1 - R2) of its fit
    by the others; 0 for the ones of an intercept. Without an intercept R2 is that about zero. Each is the double
    nearest to the exact one.
    """
    found: list[float | None] = []
    for accuracy in ACCURACIES:
        inverse = equations.inverses.accurate(accuracy)
        if inverse is None:
            break
        with flint.ctx.workprec(2 * accuracy):
            units = [4**shift for shift in equations.inverses.shifts]
            found = [
                nearest_in_ball(inverse[column, column] * _squares(equations, column) / unit, 0)
                for column, unit in enumerate(units)
            ]
        if None not in found:
            break
    known = found or [None] * len(equations.exponents)
    return [_inflation(equations, column) if one is None else one for column, one in enumerate(known)]


def _inflation(equations: NormalEquations, column: int) -> float:
    return nearest(_fraction(_diagonal(equations.integers, column) * _squares(equations, column)))


def _squares(equations: NormalEquations, column: int) -> flint.fmpq:
    """A column's sum of squares, about its mean if there is an intercept."""
    matrix = equations.integers
    squares = flint.fmpq(matrix[column, column])
    return squares - flint.fmpq(matrix[0, column] ** 2, matrix[0, 0]) if equations.has_intercept else squares


def _diagonal(matrix: flint.fmpz_mat, column: int) -> flint.fmpq:
    """A number on the diagonal of the inverse."""
    unit = flint.fmpz_mat(matrix.nrows(), 1, [int(row == column) for row in range(matrix.nrows())])
    return _solution_of(matrix, unit)[column, 0]


def _solution(equations: NormalEquations, numbers: Sequence[float | None]) -> Solution:
    every = [number for number in numbers if number is not None]
    size = len(equations.exponents)
    if equations.residual_df <= 0:
        return Solution(every, None, None)
    return Solution(every[:size], every[size], every[size + 1 :])


def _by_balls(equations: NormalEquations, inverse: flint.arb_mat) -> Iterator[float | None]:
    """Coefficients, noise, standard errors; None for a number that is not decided yet."""
    shifts, target, size = equations.inverses.shifts, equations.target_exponent, len(equations.exponents)
    units = [flint.arb(2) ** -shift for shift in shifts]
    right = flint.arb_mat(size, 1, [equations.right_integers[j, 0] * units[j] for j in range(size)])
    solution = inverse * right
    exponents = [target - exponent - shift for exponent, shift in zip(equations.exponents, shifts, strict=True)]
    for column, exponent in enumerate(exponents):
        yield nearest_in_ball(solution[column, 0], exponent)
    if equations.residual_df <= 0:
        return
    rss = flint.arb(equations.squares)
    for column, penalty in enumerate(equations.penalty):
        rss -= solution[column, 0] * right[column, 0] + penalty * (units[column] * solution[column, 0]) ** 2
    variance = rss / equations.residual_df
    yield nearest_in_ball(variance.sqrt(), target)
    for column, exponent in enumerate(exponents):
        yield nearest_in_ball((variance * inverse[column, column]).sqrt(), exponent)


def _by_fractions(equations: NormalEquations, found: Sequence[float | None]) -> Iterator[float]:
    """The same, each of them decided; those in `found` are taken from there."""
    matrix, size, target = equations.integers, len(equations.exponents), equations.target_exponent
    solution = _solution_of(matrix, equations.right_integers)
    for column, exponent in enumerate(equations.exponents):
        yield nearest(_fraction(solution[column, 0]) * scaled(1, target - exponent))
    if equations.residual_df <= 0:
        return
    rss = flint.fmpq(equations.squares)
    for column, penalty in enumerate(equations.penalty):
        rss -= solution[column, 0] * equations.right_integers[column, 0] + penalty * solution[column, 0] ** 2
    variance = rss / equations.residual_df
    yield nearest_root(_fraction(variance) * scaled(1, 2 * target))
    for column, (exponent, known) in enumerate(
        zip(equations.exponents, found[size + 1 :] or [None] * size, strict=True)
    ):
        if variance == 0:
            yield 0.0
        elif known is not None:
            yield known
        else:
            yield nearest_root(_fraction(variance * _diagonal(matrix, column)) * scaled(1, 2 * (target - exponent)))


def _solution_of(matrix: flint.fmpz_mat, right: flint.fmpz_mat) -> flint.fmpq_mat:
    return cast("flint.fmpq_mat", matrix.solve(right))  # the stubs name its base class


def _fraction(value: flint.fmpq) -> Fraction:
    return Fraction(int(value.p), int(value.q))
