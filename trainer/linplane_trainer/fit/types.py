"""The options and the result of a fit."""

from dataclasses import dataclass
from enum import StrEnum

from linplane_api.artifact import Evaluation
from linplane_api.facts import ColumnStatistics, Residuals

from ..batch import Floats


class Method(StrEnum):
    """How the numbers of a fit come from the rows."""

    EXACT = "exact-1"
    """Each is the double nearest to the exact one. Another name is needed if any bit of a result changes."""
    FACTOR = "factor"
    """In doubles, by a triangular factor: the last digits depend on the machine."""


@dataclass(frozen=True)
class FitOptions:
    """The settings of a Task that concern the fit."""

    features: tuple[str, ...]
    fit_intercept: bool = True
    ridge: float = 0.0

    @property
    def size(self) -> int:
        """The number of coefficients, the intercept counted."""
        return len(self.features) + int(self.fit_intercept)


@dataclass(frozen=True)
class Fit:
    """The result; every number is finite, arrays have one entry for each feature, in order.

    prediction = intercept + coefficients . x, in units of the data. `samples` are the rows fitted, without those held
    out and dropped. `noise` is sqrt(RSS / (n - p)), p counting the intercept; None if n <= p. Standard errors are those
    of ordinary least squares; None if noise is, and with ridge, because they would ignore the bias of the estimate. R2
    is 1 - RSS / TSS with TSS about the mean of the rows it is computed on, also without an intercept, as scikit-learn's
    `r2_score`: so versions can be compared. `repeats` are the features, by number, that equal the target in every row.
    Minimum to deviation describe the fitted rows, and so does `target` its column, None if a figure of it is larger
    than any double. `inflation` are the variance inflation factors; None with ridge, and for more features than exact
    sums are kept for. `method` decides the last digits. `residuals`: summaries of samples of the rows fitted and of
    those held out.
    """

    coefficients: Floats
    intercept: float
    samples: int
    dropped: int
    noise: float | None
    evaluation: Evaluation
    standard_errors: Floats | None
    intercept_standard_error: float | None
    minimum: Floats
    maximum: Floats
    mean: Floats
    deviation: Floats
    repeats: tuple[int, ...]
    inflation: Floats | None
    method: Method
    target: ColumnStatistics | None
    residuals: tuple[Residuals, ...] = ()

    @property
    def held_out(self) -> int:
        """How many rows were held out."""
        return self.evaluation.samples if self.evaluation.on == "Holdout" else 0
