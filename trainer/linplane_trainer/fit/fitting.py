"""Fits in a single pass: `Fitting` adds up batches of rows and gives a `Fit`."""

from dataclasses import replace
from typing import Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..batch import Batch, Floats
from ..errors import BadData
from .exact_rows import ExactRows
from .residuals import absolute_quantiles, residuals_of, summary
from .row_sample import RowSample
from .types import Fit, FitOptions
from .wide.rows import WideRows

MAX_EXACT = 512
"""The most features that exact sums are kept for: 8 seconds and 0.5 GB for their equations."""


class Rows(Protocol):
    """Adds rows up, in memory that does not depend on their number."""

    def add(self, rows: Floats, held: NDArray[np.bool_]) -> None:
        """Adds rows of shape (n, features + 1), all finite; `held` are those held out. Raises BadData."""
        ...

    def fit(self, dropped: int) -> Fit:
        """The fit of at least one row. Raises BadData."""
        ...


def rows_for(options: FitOptions) -> Rows:
    """Exact sums, or a factor for more features."""
    return ExactRows(options) if len(options.features) <= MAX_EXACT else WideRows(options)


class Fitting:
    """Least squares over batches, which can have any size: it changes no bit of the result."""

    def __init__(self, options: FitOptions, rows: Rows | None = None) -> None:
        """Nothing is read before `add`; `options` can be read."""
        self.options = options
        self._rows = rows or rows_for(options)
        columns = len(options.features) + 1
        self._fitted, self._held = RowSample(columns), RowSample(columns)
        self._raw = self._clean = 0

    def add(self, batch: Batch) -> None:
        """Adds the next rows; they are copied, or added up, before it returns. Raises BadData."""
        held, numbers = batch.draws.held[batch.kept], batch.draws.numbers[batch.kept]
        self._raw += len(batch.kept)
        self._clean += len(held)
        if len(held):
            self._rows.add(batch.values, held)
            for sample, mask in ((self._fitted, ~held), (self._held, held)):
                sample.add(numbers[mask], batch.values[mask])

    def result(self) -> Fit:
        """Solves. Raises BadData if these rows cannot give a model."""
        if not self._raw:
            raise BadData("there are no data rows")
        if not self._clean:
            raise BadData(f"no rows are left: all {self._raw} have a gap in a used column")
        fit = self._rows.fit(self._raw - self._clean)
        return _with_residuals(_with_residuals(fit, "Training", self._fitted), "Holdout", self._held)


def _with_residuals(fit: Fit, on: Literal["Holdout", "Training"], sample: RowSample) -> Fit:
    rows = sample.rows()
    found = residuals_of(fit.coefficients, fit.intercept, rows) if len(rows) else None
    if found is None:
        return fit
    fitted, residuals = found
    if on == "Holdout":
        quantiles = absolute_quantiles(residuals)
        fit = replace(fit, evaluation=msgspec.structs.replace(fit.evaluation, residual_quantiles=quantiles))
    about = summary(on, fitted, residuals, fit.noise)
    return fit if about is None else replace(fit, residuals=(*fit.residuals, about))
