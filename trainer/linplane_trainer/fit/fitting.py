"""Fits in a single pass: `Fitting` adds up batches of rows and gives a `Fit`."""

import numpy as np
from numpy.typing import NDArray

from ..batch import Batch, Floats
from ..errors import BadData
from .holdout import HoldoutDraws
from .moments import Moments
from .qr import Factor
from .result import TOO_LARGE, RowSet, SufficientStatistics, solve_fit
from .scaling import Scaling, scaling_for
from .types import Fit, FitOptions

BLOCK_CELLS = 1 << 16  # half a megabyte: a block stays in the cache while LAPACK walks its columns


class Fitting:
    """Least squares over batches: memory is that of one block and of two triangles, whatever the number of rows.

    Rows are regrouped into blocks of a fixed size, so how they were batched changes no bit of the result.
    """

    def __init__(self, options: FitOptions) -> None:
        """Nothing is read before `add`; `options` can be read."""
        columns, width = len(options.features) + 1, options.size + 1
        self.options = options
        self._draws = HoldoutDraws(options.seed, options.holdout_percent)
        self._block_rows = options.block_rows or max(2 * width, BLOCK_CELLS // width)
        self._waiting: list[tuple[Floats, NDArray[np.bool_]]] = []
        self._waiting_rows = 0
        self._scaling: Scaling | None = None
        self._training = RowSet(Factor(width), Moments(columns))
        self._holdout = RowSet(Factor(width), Moments(columns))
        self._repeats = np.arange(len(options.features))  # the features that equal the target so far
        self._raw = self._clean = self._blocks = 0

    def add(self, batch: Batch) -> None:
        """Adds the next rows; they are copied, or folded in, before it returns. Raises BadData."""
        held = self._draws.draw(len(batch.kept))[batch.kept]
        self._raw += len(batch.kept)
        self._clean += len(held)
        for rows in (batch.values[:1], batch.values):  # the first row mostly decides
            self._repeats = self._repeats[(rows[:, self._repeats] == rows[:, -1:]).all(axis=0)]
        start = 0
        while start < len(held):
            end = min(len(held), start + self._block_rows - self._waiting_rows)
            self._waiting.append((batch.values[start:end].copy(), held[start:end]))
            self._waiting_rows += end - start
            start = end
            if self._waiting_rows == self._block_rows:
                self._fold()

    def result(self) -> Fit:
        """Solves. Raises BadData if these rows cannot give a model."""
        self._fold()
        if not self._raw:
            raise BadData("there are no data rows")
        if self._scaling is None:
            raise BadData(f"no rows are left: all {self._raw} have a gap in a used column")
        dropped = self._raw - self._clean
        repeats = tuple(self._repeats.tolist())
        statistics = SufficientStatistics(
            self.options, self._scaling, self._training, self._holdout, dropped, self._blocks, repeats
        )
        return solve_fit(statistics)

    def _fold(self) -> None:
        if not self._waiting:
            return
        rows = np.concatenate([values for values, _ in self._waiting])
        held = np.concatenate([mask for _, mask in self._waiting])
        self._waiting, self._waiting_rows = [], 0
        self._blocks += 1
        with np.errstate(all="ignore"):  # a number that is not finite is found here or at the end
            if self._scaling is None:
                self._scaling = scaling_for(rows, centred=self.options.fit_intercept)
            for mask, row_set in ((~held, self._training), (held, self._holdout)):
                if mask.any():
                    row_set.moments.add(rows[mask])
                    row_set.factor.add(self._design(self._scaling.apply(rows[mask])))

    def _design(self, scaled: Floats) -> Floats:
        if not np.isfinite(scaled).all():
            raise BadData(TOO_LARGE)
        return np.hstack((np.ones((len(scaled), 1)), scaled)) if self.options.fit_intercept else scaled
