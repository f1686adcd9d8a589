"""What goes into a fit and what comes out of it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .scaling import Floats


@dataclass(frozen=True)
class Options:
    """What is fitted, as in the Task.

    `block_rows` is how many rows are folded in at once, which decides the last digits; None suits the columns.
    """

    features: tuple[str, ...]
    fit_intercept: bool = True
    ridge: float = 0.0
    holdout_percent: int = 20
    seed: int = 0
    block_rows: int | None = None

    @property
    def size(self) -> int:
        """The number of coefficients, the intercept counted."""
        return len(self.features) + int(self.fit_intercept)


@dataclass(frozen=True)
class Batch:
    """Some rows, in order. `kept` has one entry for each raw row, False where the row was dropped for a gap.

    `values` holds the kept rows, shape (kept.sum(), features + 1), the target last; all finite.
    """

    values: Floats
    kept: NDArray[np.bool_]


@dataclass(frozen=True)
class Judged:
    """How well the coefficients do on `samples` rows; `r2` None where their target is constant."""

    on: Literal["Holdout", "Training"]
    samples: int
    mse: float
    r2: float | None


@dataclass(frozen=True)
class Fit:
    """The result; every number is finite, arrays have one entry for each feature, in order.

    prediction = intercept + coefficients . x, in units of the data. `samples` are the rows fitted, without those held
    out and dropped. `noise` is sqrt(RSS / (n - p)), p counting the intercept; None where n <= p. Standard errors are
    those of ordinary least squares: None where noise is, and under ridge, where they would claim what a biased
    estimate does not have. R2 is 1 - RSS / TSS with TSS about the mean of the rows that are judged, also without an
    intercept, as scikit-learn's `r2_score`: so versions can be compared. `repeats` are the features, by number, that
    equal the target in every row. Minimum to deviation describe the fitted rows.
    """

    coefficients: Floats
    intercept: float
    samples: int
    dropped: int
    noise: float | None
    judged: Judged
    standard_errors: Floats | None
    intercept_standard_error: float | None
    minimum: Floats
    maximum: Floats
    mean: Floats
    deviation: Floats
    repeats: tuple[int, ...]

    @property
    def held(self) -> int:
        """How many rows were held out."""
        return self.judged.samples if self.judged.on == "Holdout" else 0
