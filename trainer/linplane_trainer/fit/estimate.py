"""One training in a single pass: `Fitting` takes batches of rows and gives a `Fit`."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import BadData, listed
from .factor import Factor
from .holdout import HoldoutDraws
from .moments import Moments
from .scaling import Floats, Scaling, scaling_for
from .solve import (
    EPSILON,
    Solution,
    dependent,
    least_squares_remainder,
    residual_squares,
    solve,
    total_squares,
    with_penalty,
)

TOO_LARGE = "the values are too large: a result is not a finite number"
BLOCK_CELLS = 1 << 16  # half a megabyte: a block stays in the cache while LAPACK walks its columns


@dataclass(frozen=True)
class Options:
    """What is fitted: as in the Task. `block_rows` None: as many rows a block as suit the columns; it decides the
    last digits.
    """

    features: tuple[str, ...]
    fit_intercept: bool = True
    ridge: float = 0.0
    holdout_percent: int = 20
    seed: int = 0
    block_rows: int | None = None


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
    those of ordinary least squares, None where noise is, and under ridge, where they would claim what a biased
    estimate does not have. R2 is 1 - RSS / TSS; without an intercept TSS is taken around zero, as in NIST's certified
    values for NoInt1 and NoInt2. Minimum to deviation describe the fitted rows.
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


class Fitting:
    """Least squares over batches: memory is that of one block and of two triangles, whatever the number of rows.

    Rows are regrouped into blocks of a fixed size, so how they were batched changes no bit of the result.
    """

    def __init__(self, options: Options) -> None:
        """Nothing is read before `add`."""
        columns = len(options.features) + 1
        width = columns + int(options.fit_intercept)
        self._options = options
        self._draws = HoldoutDraws(options.seed, options.holdout_percent)
        self._block_rows = options.block_rows or max(2 * width, BLOCK_CELLS // width)
        self._waiting: list[tuple[Floats, NDArray[np.bool_]]] = []
        self._waiting_rows = 0
        self._scaling: Scaling | None = None
        self._training, self._holdout = Factor(width), Factor(width)
        self._moments, self._held_moments = Moments(columns), Moments(columns)
        self._raw = self._clean = self._blocks = 0

    def add(self, batch: Batch) -> None:
        """Takes the next rows. They are copied, or folded in, before it returns."""
        held = self._draws.take(len(batch.kept))[batch.kept]
        self._raw += len(batch.kept)
        self._clean += len(held)
        start = 0
        while start < len(held):
            end = min(len(held), start + self._block_rows - self._waiting_rows)
            self._waiting.append((batch.values[start:end].copy(), held[start:end]))
            self._waiting_rows += end - start
            start = end
            if self._waiting_rows == self._block_rows:
                self._fold()

    def result(self) -> Fit:
        """Solves. Raises BadData where these rows cannot give a model."""
        with np.errstate(all="ignore"):  # a result that is not finite is found, and said, at the end
            self._fold()
            self._check_rows()
            return self._finite(self._solved())

    def _fold(self) -> None:
        if not self._waiting:
            return
        rows = np.concatenate([values for values, _ in self._waiting])
        held = np.concatenate([mask for _, mask in self._waiting])
        self._waiting, self._waiting_rows = [], 0
        self._blocks += 1
        with np.errstate(all="ignore"):
            if self._scaling is None:
                self._scaling = scaling_for(rows, centred=self._options.fit_intercept)
            for mask, factor, moments in (
                (~held, self._training, self._moments),
                (held, self._holdout, self._held_moments),
            ):
                if mask.any():
                    moments.add(rows[mask])
                    factor.add(self._design(self._scaling.apply(rows[mask])))

    def _design(self, scaled: Floats) -> Floats:
        if not np.isfinite(scaled).all():
            raise BadData(TOO_LARGE)
        return np.hstack((np.ones((len(scaled), 1)), scaled)) if self._options.fit_intercept else scaled

    def _check_rows(self) -> None:
        rows, size = self._training.rows, len(self._options.features) + int(self._options.fit_intercept)
        if not self._raw:
            raise BadData("there are no data rows")
        if not self._clean:
            raise BadData(f"no rows are left: all {self._raw} have a gap in a used column")
        if rows < (2 if self._options.ridge else size):  # with a penalty, fewer rows have one best answer too
            raise BadData(f"{rows} rows to fit, fewer than the {size} coefficients{self._where_rows_went()}")
        if self._moments.constant[-1]:
            raise BadData("the target is constant: it has one value in every row that is fitted")

    def _where_rows_went(self) -> str:
        dropped = self._raw - self._clean
        parts = [f"{self._holdout.rows} are held out"] * bool(self._holdout.rows) + [
            f"{dropped} dropped for gaps"
        ] * bool(dropped)
        return f" ({', '.join(parts)})" if parts else ""

    def _solved(self) -> Fit:
        options, scaling = self._options, self._known_scaling
        triangle = self._training.triangle
        weights = np.ldexp(math.sqrt(options.ridge), -scaling.exponents[:-1])
        penalised = with_penalty(triangle, weights, options.fit_intercept) if options.ridge else triangle
        self._check_rank(penalised)
        solution = solve(penalised)
        squares = residual_squares(triangle, solution.beta) if options.ridge else least_squares_remainder(triangle)
        freedom = self._training.rows - len(solution.beta)
        unit = float(np.ldexp(1.0, scaling.exponents[-1]))
        noise = math.sqrt(squares / freedom) * unit if freedom > 0 else None
        errors = None if noise is None or options.ridge else self._errors(solution, noise / unit)
        first = int(options.fit_intercept)
        coefficients = np.ldexp(solution.beta[first:], scaling.exponents[-1] - scaling.exponents[:-1]) + 0.0
        return Fit(
            coefficients=coefficients,
            intercept=self._intercept(solution, coefficients) if first else 0.0,
            samples=self._training.rows,
            dropped=self._raw - self._clean,
            noise=noise,
            judged=self._judge(solution, squares, unit),
            standard_errors=None if errors is None else errors[first:],
            intercept_standard_error=None if errors is None or not first else float(errors[0]),
            minimum=self._moments.minimum[:-1],
            maximum=self._moments.maximum[:-1],
            mean=self._moments.mean[:-1],
            deviation=self._moments.deviation[:-1],
        )

    @property
    def _known_scaling(self) -> Scaling:
        assert self._scaling is not None, "there was a block"
        return self._scaling

    def _check_rank(self, triangle: Floats) -> None:
        if not np.isfinite(triangle).all():
            raise BadData(TOO_LARGE)
        largest = np.maximum(np.abs(self._moments.minimum), np.abs(self._moments.maximum))[:-1]
        rounding = np.ldexp(largest, -self._known_scaling.exponents[:-1]) * (
            EPSILON / 2 * math.sqrt(self._training.rows)
        )
        numbers = dependent(triangle, self._options.fit_intercept, rounding, self._blocks)
        if not numbers:
            return
        names = listed([self._options.features[number] for number in numbers])
        beside = " beside the intercept" if self._options.fit_intercept else ""
        if self._moments.constant[numbers].all():
            raise BadData(f"constant columns say nothing{beside}: {names}")
        raise BadData(f"columns that are linearly dependent{beside}: {names}; leave one of them out, or set ridge")

    def _intercept(self, solution: Solution, coefficients: Floats) -> float:
        """Back to the data's units in exact arithmetic: with means far from zero this sum loses digits."""
        scaling = self._known_scaling
        if not (np.isfinite(coefficients).all() and np.isfinite(solution.beta).all()):
            raise BadData(TOO_LARGE)
        total = scaling.centre(-1) + Fraction(float(solution.beta[0])) * Fraction(2) ** int(scaling.exponents[-1])
        for number, value in enumerate(coefficients):
            total -= Fraction(float(value)) * scaling.centre(number)
        try:
            return float(total) + 0.0
        except OverflowError as error:
            raise BadData(TOO_LARGE) from error

    def _errors(self, solution: Solution, noise: float) -> Floats:
        """In units of the data, the intercept's first where there is one. `noise` is in scaled units."""
        scaling = self._known_scaling
        rows = solution.inverse
        if self._options.fit_intercept:
            back = np.append(
                1.0, -scaling.offsets[:-1]
            )  # intercept = beta0 - sum of beta_j offset_j, and the target's centre
            rows = np.vstack((back @ rows, rows[1:]))
        powers = scaling.exponents[-1] - scaling.exponents[:-1]
        if self._options.fit_intercept:
            powers = np.append(scaling.exponents[-1], powers)
        errors: Floats = np.ldexp(noise * np.sqrt(np.square(rows).sum(axis=1)), powers)
        return errors

    def _judge(self, solution: Solution, squares: float, unit: float) -> Judged:
        on: Literal["Holdout", "Training"] = "Holdout" if self._holdout.rows else "Training"
        factor, moments = (self._holdout, self._held_moments) if self._holdout.rows else (self._training, self._moments)
        if self._holdout.rows:
            squares = residual_squares(factor.triangle, solution.beta)
        total = total_squares(factor.triangle, self._options.fit_intercept)
        r2 = None if moments.constant[-1] or not total else 1 - squares / total
        return Judged(on, factor.rows, squares / factor.rows * unit * unit, r2)

    @staticmethod
    def _finite(fit: Fit) -> Fit:
        def numbers() -> Iterator[float]:
            for array in (fit.coefficients, fit.standard_errors, fit.minimum, fit.maximum, fit.mean, fit.deviation):
                yield from () if array is None else array.tolist()
            for number in (fit.intercept, fit.noise, fit.intercept_standard_error, fit.judged.mse, fit.judged.r2):
                yield 0.0 if number is None else number

        if not all(map(math.isfinite, numbers())):
            raise BadData(TOO_LARGE)
        return fit
