"""Adds rows up exactly: one gathering of those that are fitted and one of those held out, for each thread."""

from functools import reduce

import numpy as np
from numpy.typing import NDArray

from ..batch import Floats
from .gathering import Gathering
from .result import fit_of_sums
from .slices import check_products
from .sums import Sums
from .types import Fit, FitOptions

SHARED_WIDTH = 1024
"""Columns of slices up to which the sums of several threads are small, 33 MB each."""
USUAL_SLICES = 3  # of numbers with 17 digits


class ExactRows:
    """Exact sums over batches: neither batches, the order of rows nor how many parts they are added in change a bit of
    the result.
    """

    def __init__(self, options: FitOptions, threads: int = 1) -> None:
        """Raises TrainingFailed if this machine's linear algebra is not exact."""
        check_products()
        columns = len(options.features) + 1
        self._options = options
        count = threads if USUAL_SLICES * (columns + 1) <= SHARED_WIDTH else 1
        self.parts = tuple(ExactPart(columns) for _ in range(count))

    def fit(self, dropped: int) -> Fit:
        """The fit. Raises BadData if these rows cannot give a model."""
        training = reduce(Sums.plus, (part.training.sums() for part in self.parts))
        holdout = reduce(Sums.plus, (part.holdout.sums() for part in self.parts))
        return fit_of_sums(self._options, training, holdout, dropped)


class ExactPart:
    """What one thread adds up."""

    def __init__(self, columns: int) -> None:
        self.training, self.holdout = Gathering(columns), Gathering(columns)

    def add(self, rows: Floats, held: NDArray[np.bool_]) -> None:
        """Adds rows of shape (n, features + 1); `held`, shape (n,), says which are held out."""
        if not held.any():
            self.training.add(rows)
            return
        for gathering, chosen in ((self.training, ~held), (self.holdout, held)):
            gathering.add(rows.T.take(np.flatnonzero(chosen), axis=1).T)
