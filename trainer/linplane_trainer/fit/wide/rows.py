"""Adds rows up in blocks: memory is that of one block and of two triangles, whatever the number of rows."""

import numpy as np
from numpy.typing import NDArray

from ...batch import Floats
from ...errors import BadData
from ..checks import TOO_LARGE
from ..types import Fit, FitOptions
from .moments import Moments
from .qr import Factor
from .result import RowSet, SufficientStatistics, solve_fit
from .scaling import Scaling, scaling_for

BLOCK_CELLS = 1 << 16  # half a megabyte: a block stays in the cache while LAPACK walks its columns


class WideRows:
    """Least squares over batches. Rows are regrouped into blocks of a fixed size, so how they were batched changes no
    bit of the result.
    """

    def __init__(self, options: FitOptions, block_rows: int | None = None) -> None:
        """`block_rows` is how many rows are folded in at once, which decides the last digits; None: as many as suit the
        number of columns.
        """
        columns, width = len(options.features) + 1, options.size + 1
        self.parts = (self,)  # one thread: the order of the rows decides the last digits
        self._options = options
        self._block_rows = block_rows or max(2 * width, BLOCK_CELLS // width)
        self._waiting: list[tuple[Floats, NDArray[np.bool_]]] = []
        self._waiting_rows = 0
        self._scaling: Scaling | None = None
        self._training = RowSet(Factor(width), Moments(columns))
        self._holdout = RowSet(Factor(width), Moments(columns))
        self._repeats = np.arange(len(options.features))  # the features that equal the target so far
        self._blocks = 0

    def add(self, rows: Floats, held: NDArray[np.bool_]) -> None:
        """Adds rows of shape (n, features + 1); `held`, shape (n,), says which are held out. Raises BadData."""
        for part in (rows[:1], rows):  # the first row mostly decides
            self._repeats = self._repeats[(part[:, self._repeats] == part[:, -1:]).all(axis=0)]
        start = 0
        while start < len(held):
            end = min(len(held), start + self._block_rows - self._waiting_rows)
            self._waiting.append((rows[start:end].copy(), held[start:end]))
            self._waiting_rows += end - start
            start = end
            if self._waiting_rows == self._block_rows:
                self._fold()

    def fit(self, dropped: int) -> Fit:
        """The fit of at least one row. Raises BadData if these rows cannot give a model."""
        self._fold()
        if self._scaling is None:
            raise ValueError("no rows were added")
        return solve_fit(
            SufficientStatistics(
                self._options,
                self._scaling,
                self._training,
                self._holdout,
                dropped,
                self._blocks,
                tuple(self._repeats.tolist()),
            )
        )

    def _fold(self) -> None:
        if not self._waiting:
            return
        rows = np.concatenate([values for values, _ in self._waiting])
        held = np.concatenate([mask for _, mask in self._waiting])
        self._waiting, self._waiting_rows = [], 0
        self._blocks += 1
        with np.errstate(all="ignore"):  # a number that is not finite is found here or at the end
            if self._scaling is None:
                self._scaling = scaling_for(rows, centred=self._options.fit_intercept)
            for mask, row_set in ((~held, self._training), (held, self._holdout)):
                if mask.any():
                    row_set.moments.add(rows[mask])
                    row_set.factor.add(self._design(self._scaling.apply(rows[mask])))

    def _design(self, scaled: Floats) -> Floats:
        if not np.isfinite(scaled).all():
            raise BadData(TOO_LARGE)
        return np.hstack((np.ones((len(scaled), 1)), scaled)) if self._options.fit_intercept else scaled
