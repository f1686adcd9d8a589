"""Range, mean and deviation of each column, streamed: the update of Chan, Golub & LeVeque (The American Statistician
37, 1983).
"""

import numpy as np
from numpy.typing import NDArray

from .scaling import Floats


class Moments:
    """Of all rows so far. Arrays have the shape (columns,)."""

    def __init__(self, columns: int) -> None:
        """For rows of `columns` numbers."""
        self.rows = 0
        self.minimum = np.full(columns, np.inf)
        self.maximum = np.full(columns, -np.inf)
        self.mean = np.zeros(columns)
        self._squares = np.zeros(columns)

    def add(self, rows: Floats) -> None:
        """Rows of shape (n, columns); two passes within them, one merge."""
        count = len(rows)
        if not count:
            return
        mean = rows.mean(axis=0)
        squares = np.square(rows - mean).sum(axis=0)
        total = self.rows + count
        step = mean - self.mean
        self.mean = self.mean + step * (count / total)
        self._squares = self._squares + squares + np.square(step) * (self.rows * (count / total))
        self.minimum = np.minimum(self.minimum, rows.min(axis=0))
        self.maximum = np.maximum(self.maximum, rows.max(axis=0))
        self.rows = total

    @property
    def deviation(self) -> Floats:
        """The sample's standard deviation (n - 1); exactly 0 where all rows are equal."""
        return np.where(self.constant, 0.0, np.sqrt(self._squares / max(self.rows - 1, 1)))

    @property
    def constant(self) -> NDArray[np.bool_]:
        """Where every row has the same value, exactly."""
        constant: NDArray[np.bool_] = self.minimum == self.maximum
        return constant
