"""Inverses of an integer matrix, in ball arithmetic."""

import flint

MAX_BITS = 1 << 14
FIRST_BITS = 192  # mostly enough: the second try would cost as much again


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
        """The inverse with `accuracy` correct bits of each diagonal element; None if 12,288 bits of work are not
        enough, so the matrix is singular as far as anything can show.
        """
        bits = FIRST_BITS
        while bits <= MAX_BITS:
            found = self.at(bits)
            if found is not None and all(found[j, j].rel_accuracy_bits() >= accuracy for j in range(found.nrows())):
                return found
            bits *= 2
        return None

    def _scaled(self) -> flint.arb_mat:
        size, units = len(self.shifts), [flint.arb(2) ** -shift for shift in self.shifts]
        entries = [
            self.matrix[row, column] * units[row] * units[column] for row in range(size) for column in range(size)
        ]
        return flint.arb_mat(size, size, entries)
