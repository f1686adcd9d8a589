"""Inverses of an integer matrix, in ball arithmetic."""

from collections.abc import Callable
from functools import cached_property
from typing import TypeVar

import flint
import numpy as np

from ..batch import Floats

Entry = TypeVar("Entry")

MAX_BITS = 1 << 14
FEW_BITS, MORE_BITS = 128, 192
WELL_CONDITIONED = 2.0**28
"""Up to this condition number few bits leave 53, and some to decide a rounding, after it is lost twice."""


class Inverses:
    """The inverses of one matrix whose row and column j are divided by 2 ** shifts[j], which makes its diagonal about
    1: else products in blocks lose as many bits as the columns differ in size. Each is computed once, since they are
    most of the work of a fit.

    F. Johansson, "Arb: efficient arbitrary-precision midpoint-radius interval arithmetic", IEEE Transactions on
    Computers 66 (2017).
    """

    def __init__(self, matrix: flint.fmpz_mat) -> None:
        """`matrix` is symmetric, with a positive diagonal. Computes nothing yet."""
        self.matrix = matrix
        self.shifts = [(int(matrix[column, column]).bit_length() + 1) // 2 for column in range(matrix.nrows())]
        self._found: dict[int, flint.arb_mat | None] = {}

    @cached_property
    def first_bits(self) -> int:
        """Bits of work that are mostly enough: the second try would cost as much again. An estimate in doubles decides,
        since no result depends on it.
        """

        def entry(row: int, column: int) -> float:
            return int(self.matrix[row, column]) / (1 << self.shifts[row] + self.shifts[column])

        doubles: Floats = np.array(symmetric(len(self.shifts), entry))
        try:
            return FEW_BITS if np.linalg.cond(doubles, 1) <= WELL_CONDITIONED else MORE_BITS
        except np.linalg.LinAlgError:
            return MORE_BITS

    def at(self, bits: int) -> flint.arb_mat | None:
        """The inverse by `bits` bits of work; None if they are not enough to show that there is one."""
        if bits not in self._found:
            with flint.ctx.workprec(bits):
                try:
                    self._found[bits] = self._scaled().inv()
                except ZeroDivisionError:
                    self._found[bits] = None
        return self._found[bits]

    def accurate(self, accuracy: int) -> flint.arb_mat | None:
        """The inverse with `accuracy` correct bits of each diagonal element; None if at least 8,192 bits of work are
        not enough, so the matrix is singular as far as anything can show.
        """
        bits = self.first_bits
        while bits <= MAX_BITS:
            found = self.at(bits)
            if found is not None and all(found[j, j].rel_accuracy_bits() >= accuracy for j in range(found.nrows())):
                return found
            bits *= 2
        return None

    def _scaled(self) -> flint.arb_mat:
        units = [flint.arb(2) ** -shift for shift in self.shifts]
        return flint.arb_mat(
            symmetric(len(units), lambda row, column: self.matrix[row, column] * units[row] * units[column])
        )


def symmetric(size: int, entry: Callable[[int, int], Entry]) -> list[list[Entry]]:
    """The rows of a symmetric matrix whose entries are called for once."""
    rows: list[list[Entry]] = []
    for number in range(size):
        before = [row[number] for row in rows]
        rows.append(before + [entry(number, column) for column in range(number, size)])
    return rows
