"""A least-squares problem of any number of rows in the memory of its columns: sequential TSQR.

J. Demmel, L. Grigori, M. Hoemmen, J. Langou, "Communication-optimal parallel and sequential QR and LU
factorizations", SIAM J. Sci. Comput. 34 (2012). Never the Gram matrix: squaring the condition number costs half of
the digits (Golub & Van Loan, Matrix Computations, 5.3.7).
"""

from typing import cast

import numpy as np

from ...batch import Floats


def triangle_of(rows: Floats) -> Floats:
    """R of the QR of `rows`, shape (min(n, columns), columns), by LAPACK's Householder reflections."""
    return cast("Floats", np.linalg.qr(rows, mode="r"))  # the stubs don't know that it is one array


class Factor:
    """The triangular factor R of all rows so far: R'R = A'A, with the accuracy of Householder's QR."""

    def __init__(self, columns: int) -> None:
        """For rows of `columns` numbers."""
        self._r: Floats = np.zeros((0, columns))
        self.rows = 0

    def add(self, rows: Floats) -> None:
        """Folds in rows of shape (n, columns), in the memory of these and of two factors."""
        self._r = triangle_of(np.vstack((self._r, rows)))
        self.rows += len(rows)

    @property
    def triangle(self) -> Floats:
        """R, upper triangular, shape (columns, columns); below as many rows as were added it is zero."""
        missing = self._r.shape[1] - len(self._r)
        return np.vstack((self._r, np.zeros((missing, self._r.shape[1])))) if missing else self._r
