"""Adds rows up exactly: one gathering for those that are fitted, one for those held out."""

import numpy as np
from numpy.typing import NDArray

from ..batch import Floats
from .gathering import Gathering
from .result import fit_of_sums
from .slices import check_products
from .types import Fit, FitOptions


class ExactRows:
    """Exact sums over batches: neither batches nor the order of rows change a bit of the result."""

    def __init__(self, options: FitOptions) -> None:
        """Raises TrainingFailed if this machine's linear algebra is not exact."""
        check_products()
        columns = len(options.features) + 1
        self._options = options
        self._training, self._holdout = Gathering(columns), Gathering(columns)

    def add(self, rows: Floats, held: NDArray[np.bool_]) -> None:
        """Adds rows of shape (n, features + 1); `held`, shape (n,), says which are held out."""
        if held.any():
            self._holdout.add(rows[held])
            rows = rows[~held]
        self._training.add(rows)

    def fit(self, dropped: int) -> Fit:
        """The fit. Raises BadData if these rows cannot give a model."""
        return fit_of_sums(self._options, self._training.sums(), self._holdout.sums(), dropped)
