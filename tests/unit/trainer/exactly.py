"""Least squares in fractions, by Gauss: slow, and so simple that it can be trusted."""

from decimal import Context, Decimal
from fractions import Fraction

import numpy as np

DIGITS = Context(prec=80)


def fractions(rows: np.ndarray) -> list[list[Fraction]]:
    """Doubles as the numbers that they are."""
    return [[Fraction(float(value)) for value in row] for row in rows]


def products(rows: np.ndarray) -> list[list[Fraction]]:
    """X'X."""
    table = fractions(rows)
    columns = range(rows.shape[1])
    return [[sum((row[i] * row[j] for row in table), Fraction(0)) for j in columns] for i in columns]


def inverse(matrix: list[list[Fraction]]) -> list[list[Fraction]]:
    """The inverse, by Gauss and Jordan."""
    size = len(matrix)
    both = [[*row, *(Fraction(int(i == j)) for j in range(size))] for i, row in enumerate(matrix)]
    for k in range(size):
        pivot = next(r for r in range(k, size) if both[r][k])
        both[k], both[pivot] = both[pivot], both[k]
        both[k] = [value / both[k][k] for value in both[k]]
        for r in range(size):
            if r != k and both[r][k]:
                factor = both[r][k]
                both[r] = [value - factor * other for value, other in zip(both[r], both[k], strict=True)]
    return [row[size:] for row in both]


def root(value: Fraction) -> float:
    """The square root, rounded from 80 digits."""
    return float(DIGITS.sqrt(DIGITS.divide(Decimal(value.numerator), Decimal(value.denominator))))


def least_squares(design: np.ndarray, y: np.ndarray) -> tuple[list[float], list[float], float, Fraction]:
    """Coefficients and standard errors, each rounded once; the noise, rounded once; and RSS. More rows than columns."""
    size = design.shape[1]
    sums = products(np.column_stack([design, y]))
    inverted = inverse([row[:size] for row in sums[:size]])
    right = [row[size] for row in sums[:size]]
    solution = [sum((a * b for a, b in zip(row, right, strict=True)), Fraction(0)) for row in inverted]
    rss = sums[size][size] - sum((a * b for a, b in zip(solution, right, strict=True)), Fraction(0))
    variance = rss / (len(y) - size)
    errors = [root(variance * inverted[j][j]) for j in range(size)]
    return [value.numerator / value.denominator for value in solution], errors, root(variance), rss
