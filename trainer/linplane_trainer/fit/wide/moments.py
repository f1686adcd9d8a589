"""Range, mean and deviation of each column, streamed.

T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms for computing the sample variance", The American Statistician 37
(1983), in units of a power of two, so that squares of large numbers do not overflow.
"""

import numpy as np
from numpy.typing import NDArray

from ...batch import Floats


class Moments:
    """The moments of all rows so far. Arrays have the shape (columns,)."""

    def __init__(self, columns: int) -> None:
        """For rows of `columns` numbers."""
        self.rows = 0
        self.minimum = np.full(columns, np.inf)
        self.maximum = np.full(columns, -np.inf)
        self._exponents = np.zeros(columns, dtype=np.int32)
        self._mean = np.zeros(columns)
        self._squares = np.zeros(columns)

    def add(self, rows: Floats) -> None:
        """Adds rows of shape (n, columns): two passes within them, one merge."""
        count = len(rows)
        if not count:
            return
        self.minimum = np.minimum(self.minimum, rows.min(axis=0))
        self.maximum = np.maximum(self.maximum, rows.max(axis=0))
        if not self.rows:
            self._exponents = np.frexp(np.maximum(np.abs(self.minimum), np.abs(self.maximum)))[1].astype(np.int32)
        scaled = np.ldexp(rows, -self._exponents)
        mean = scaled.mean(axis=0)
        squares = np.square(scaled - mean).sum(axis=0)
        total = self.rows + count
        step = mean - self._mean
        self._mean = self._mean + step * (count / total)
        self._squares = self._squares + squares + np.square(step) * (self.rows * (count / total))
        self.rows = total

    @property
    def mean(self) -> Floats:
        """The mean; exactly the value if all rows are equal."""
        return np.where(self.constant, self.minimum, np.ldexp(self._mean, self._exponents))

    @property
    def deviation(self) -> Floats:
        """The sample's standard deviation (n - 1); exactly 0 if all rows are equal."""
        deviation = np.ldexp(np.sqrt(self._squares / max(self.rows - 1, 1)), self._exponents)
        return np.where(self.constant, 0.0, deviation)

    @property
    def constant(self) -> NDArray[np.bool_]:
        """True for each column with exactly the same value in every row."""
        constant: NDArray[np.bool_] = self.minimum == self.maximum
        return constant
