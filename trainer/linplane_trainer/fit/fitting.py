"""Fits in a single pass: `Fitting` adds up batches of rows and gives a `Fit`."""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..batch import Batch, Floats
from ..errors import BadData
from .exact_rows import ExactRows
from .residuals import absolute_quantiles, residuals_of, summary
from .row_sample import RowSample, draws_of_rows
from .types import Fit, FitOptions
from .wide.rows import WideRows

MAX_EXACT = 512
"""The most features that exact sums are kept for: 8 seconds and 0.5 GB for their equations."""


class RowsPart(Protocol):
    """Adds up the rows of one thread, in memory that does not depend on their number."""

    def add(self, rows: Floats, held: NDArray[np.bool_]) -> None:
        """Adds rows of shape (n, features + 1), all finite; `held` are those held out. Raises BadData."""
        ...


class Rows(Protocol):
    """Adds rows up, each of them in one of the parts."""

    @property
    def parts(self) -> Sequence[RowsPart]:
        """At least one."""
        ...

    def fit(self, dropped: int) -> Fit:
        """The fit of at least one row. Raises BadData."""
        ...


def rows_for(options: FitOptions, threads: int = 1) -> Rows:
    """Exact sums, or a factor for more features."""
    return ExactRows(options, threads) if len(options.features) <= MAX_EXACT else WideRows(options)


class FittingPart:
    """What one thread adds up."""

    def __init__(self, rows: RowsPart, columns: int) -> None:
        """For rows of `columns` numbers."""
        self._rows = rows
        self.fitted, self.held = RowSample(columns), RowSample(columns)
        self.raw = self.clean = 0

    def add(self, batch: Batch) -> None:
        """Adds rows; they are copied, or added up, before it returns. Raises BadData."""
        held, numbers = batch.draws.held[batch.kept], batch.draws.numbers[batch.kept]
        if batch.draws.by_key:
            numbers = draws_of_rows(numbers, batch.values)
        self.raw += len(batch.kept)
        self.clean += len(held)
        if len(held):
            self._rows.add(batch.values, held)
            for sample, among in ((self.fitted, ~held), (self.held, held)):
                chosen = np.flatnonzero(among & (numbers <= sample.largest))
                sample.add(numbers[chosen], batch.values[chosen])


class Fitting:
    """Least squares over batches, which can have any size, and can be added to any of the `parts`, each in a thread of
    its own: that changes no bit of the result. With one part, batches are added in order.
    """

    def __init__(self, options: FitOptions, rows: Rows | None = None, threads: int = 1) -> None:
        """There are at most `threads` parts. Nothing is read before `add`; `options` can be read."""
        self.options = options
        self._rows = rows or rows_for(options, threads)
        self.parts = [FittingPart(part, len(options.features) + 1) for part in self._rows.parts]

    def add(self, batch: Batch) -> None:
        """Adds the next rows to the first part. Raises BadData."""
        self.parts[0].add(batch)

    def result(self) -> Fit:
        """Solves. Raises BadData if these rows cannot give a model."""
        raw, clean = sum(part.raw for part in self.parts), sum(part.clean for part in self.parts)
        if not raw:
            raise BadData("there are no data rows")
        if not clean:
            raise BadData(f"no rows are left: all {raw} have a gap in a used column")
        fit = self._rows.fit(raw - clean)
        fitted = reduce(RowSample.plus, (part.fitted for part in self.parts))
        held = reduce(RowSample.plus, (part.held for part in self.parts))
        return _with_residuals(_with_residuals(fit, "Training", fitted), "Holdout", held)


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
