"""The exact sums of products of columns over rows: what a fit needs of them.

Entry (i, j) is `integers[i, j] * 2 ** (exponents[i] + exponents[j])`, with Python's integers. Equal matrices are
equal bit by bit (`canonical`), whatever the order of the rows, and into however many parts they were split.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..batch import Floats

Integers = NDArray[np.object_]
"""Python's integers, of any size."""
Exponents = NDArray[np.int64]
NEVER = 1 << 40  # larger than any exponent: zero is a multiple of every power of two


@dataclass(frozen=True, eq=False)
class Sums:
    """The sums over `rows` rows. `integers` is symmetric, (columns, columns); the others have the shape (columns,).

    `least` and `greatest` are each column's range, infinity and minus infinity for no rows.
    """

    rows: int
    integers: Integers
    exponents: Exponents
    least: Floats
    greatest: Floats

    @classmethod
    def of_none(cls, columns: int) -> "Sums":
        """The sums over no rows."""
        empty = np.zeros((columns, columns), dtype=object)
        return cls(0, empty, np.zeros(columns, dtype=np.int64), np.full(columns, np.inf), np.full(columns, -np.inf))

    def plus(self, other: "Sums") -> "Sums":
        """The sums over the rows of both, which have the same columns."""
        least, greatest = np.minimum(self.least, other.least), np.maximum(self.greatest, other.greatest)
        return self._combined(other, 1, least, greatest)

    def minus(self, other: "Sums") -> "Sums":
        """The sums without the rows of `other`. A range is no sum, so it stays that of all rows."""
        return self._combined(other, -1, self.least, self.greatest)

    def columns(self, numbers: Sequence[int]) -> "Sums":
        """The sums of some columns, in the order of `numbers`."""
        chosen = list(numbers)
        matrix = self.integers[np.ix_(chosen, chosen)]
        integers, exponents = canonical(matrix, self.exponents[chosen])
        return Sums(self.rows, integers, exponents, self.least[chosen], self.greatest[chosen])

    def entry(self, row: int, column: int) -> Fraction:
        """One sum, exactly."""
        exponent = int(self.exponents[row] + self.exponents[column])
        return scaled(int(self.integers[row, column]), exponent)

    @cached_property
    def constant(self) -> NDArray[np.bool_]:
        """True for each column with one value in every row; also for no rows."""
        found: NDArray[np.bool_] = self.least >= self.greatest
        return found

    def quadratic_form(self, factors: Sequence[float]) -> Fraction:
        """The sum over the rows of the squares of (row . factors), exactly; `factors` are finite, one a column."""
        ratios = [factor.as_integer_ratio() for factor in factors]
        exponents = [
            int(own) - denominator.bit_length() + 1
            for own, (_, denominator) in zip(self.exponents, ratios, strict=True)
        ]
        lowest = min(exponents)
        vector = np.array(
            [numerator << (own - lowest) for own, (numerator, _) in zip(exponents, ratios, strict=True)], dtype=object
        )
        return scaled(int(vector @ self.integers @ vector), 2 * lowest)

    def _combined(self, other: "Sums", sign: int, least: Floats, greatest: Floats) -> "Sums":
        lowest = np.minimum(self.exponents, other.exponents)
        matrix = on_exponents(self.integers, self.exponents, lowest)
        matrix = matrix + sign * on_exponents(other.integers, other.exponents, lowest)
        return Sums(self.rows + sign * other.rows, *canonical(matrix, lowest), least, greatest)


def scaled(integer: int, exponent: int) -> Fraction:
    """`integer * 2 ** exponent`, exactly."""
    return Fraction(integer << exponent) if exponent >= 0 else Fraction(integer, 1 << -exponent)


def on_exponents(integers: Integers, exponents: Exponents, lower: Exponents) -> Integers:
    """The integers of the same matrix with other exponents, none of them above its own."""
    shift = exponents - lower
    if not shift.any():
        return integers
    moved: Integers = integers << (shift[:, None] + shift[None, :]).astype(object)
    return moved


def canonical(integers: Integers, exponents: Exponents) -> tuple[Integers, Exponents]:
    """The one form of a matrix: column by column, the largest exponent that leaves integers with the columns before it
    and with itself.
    """
    columns = len(exponents)
    powers = _powers_of_two(integers) + exponents[:, None] + exponents[None, :]
    chosen = np.zeros(columns, dtype=np.int64)
    for column in range(columns):
        own = int(powers[column, column])
        if own < NEVER // 2:  # else all of the column is zero
            before = powers[:column, column] - chosen[:column]
            chosen[column] = min(own // 2, int(before.min(initial=NEVER)))
    shift = (chosen - exponents)[:, None] + (chosen - exponents)[None, :]
    lower = np.maximum(-shift, 0).astype(object)
    higher = np.where(integers == 0, 0, np.maximum(shift, 0)).astype(object)
    moved: Integers = (integers << lower) >> higher
    return moved, chosen


def _powers_of_two(integers: Integers) -> Exponents:
    """By which power of two each integer of a symmetric matrix can be divided, NEVER for zero."""
    upper = np.triu_indices(len(integers))
    lowest = integers[upper] & -integers[upper]
    powers = np.empty(integers.shape, dtype=np.int64)
    powers[upper] = powers[upper[::-1]] = np.fromiter(
        (value.bit_length() - 1 if value else NEVER for value in lowest), np.int64, len(lowest)
    )
    return powers
