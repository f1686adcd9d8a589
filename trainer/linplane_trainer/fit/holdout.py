"""Which rows are held out: one seeded draw for each raw row, independent of batches and values."""

import numpy as np
from numpy.typing import NDArray


class HoldoutDraws:
    """The draws of one training, in row order.

    The generator is `numpy.random.Generator(PCG64(seed))`; every raw data row takes one `random()`, also a row that
    is dropped for a gap. A row is held out if `draw * 100 < percent`.
    """

    def __init__(self, seed: int, percent: int) -> None:
        """`percent` from 0 (nothing is held out) to 90."""
        self._generator = np.random.Generator(np.random.PCG64(seed))
        self._percent = percent

    def draw(self, rows: int) -> NDArray[np.bool_]:
        """The draws of the next `rows` rows, shape (rows,); True is held out."""
        return self._generator.random(rows) * 100 < self._percent


def holdout_mask(seed: int, percent: int, rows: int) -> NDArray[np.bool_]:
    """Which of the first `rows` raw rows (those with gaps count) a training holds out, shape (rows,), so that it
    can be recomputed outside.
    """
    return HoldoutDraws(seed, percent).draw(rows)
