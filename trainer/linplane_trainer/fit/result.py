"""What was gathered from all rows becomes the result, in the data's own units; or an error that says why it cannot."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from linplane_api.display import MAX_LISTED, display_names
from linplane_api.facts import MAX_MESSAGE

from ..errors import BadData
from .moments import Moments
from .qr import Factor
from .scaling import Floats, Scaling
from .solve import (
    EPSILON,
    Dependence,
    Solution,
    dependent,
    least_squares_remainder,
    residual_squares,
    solve,
    total_squares,
    with_penalty,
)
from .types import Fit, Judged, Options

ROOM = 700  # characters for the names to leave out, if the message is too long for a status
TOO_LARGE = "the values are too large: a result is not a finite number"


@dataclass(frozen=True)
class Part:
    """The rows that are fitted, or those that are held out: their factor in scaled units, their moments in the
    data's.
    """

    factor: Factor
    moments: Moments


@dataclass(frozen=True)
class Gathered:
    """One pass over the rows. `blocks` is how many times rows were folded in; `repeats` as in `Fit`."""

    options: Options
    scaling: Scaling
    training: Part
    holdout: Part
    dropped: int
    blocks: int
    repeats: tuple[int, ...]


def conclude(gathered: Gathered) -> Fit:
    """Solves. Raises BadData where these rows cannot give a model."""
    with np.errstate(all="ignore"):  # a result that is not finite is found, and said, at the end
        _check_rows(gathered)
        fit = _fit(gathered)
    if not all(map(math.isfinite, _numbers(fit))):
        raise BadData(TOO_LARGE)
    return fit


def _check_rows(gathered: Gathered) -> None:
    options, rows = gathered.options, gathered.training.factor.rows
    if rows < (2 if options.ridge else options.size):  # with a penalty, fewer rows have one best answer too
        held = gathered.holdout.factor.rows
        gone = [f"{held} held out"] if held else []
        gone += [f"{gathered.dropped} dropped for gaps"] if gathered.dropped else []
        beside = f" ({', '.join(gone)})" if gone else ""
        raise BadData(f"{rows} rows to fit{beside} are fewer than the {max(2, options.size)} that are needed")
    if gathered.training.moments.constant[-1]:
        raise BadData("the target is constant: it has one value in every row that is fitted")


def _fit(gathered: Gathered) -> Fit:
    options, scaling, moments = gathered.options, gathered.scaling, gathered.training.moments
    triangle = gathered.training.factor.triangle
    weights = np.ldexp(math.sqrt(options.ridge), -scaling.exponents[:-1])
    penalised = with_penalty(triangle, weights, options.fit_intercept) if options.ridge else triangle
    _check_rank(gathered, penalised)
    solution = solve(penalised)
    squares = residual_squares(triangle, solution.beta) if options.ridge else least_squares_remainder(triangle)
    freedom = gathered.training.factor.rows - options.size
    noise = math.sqrt(squares / freedom) if freedom > 0 else None
    errors = None if noise is None or options.ridge else _standard_errors(gathered, solution, noise)
    first = int(options.fit_intercept)
    coefficients = np.ldexp(solution.beta[first:], scaling.exponents[-1] - scaling.exponents[:-1])
    coefficients = coefficients + 0.0  # no negative zero, which JSON's canonical form does not have
    return Fit(
        coefficients=coefficients,
        intercept=_intercept(scaling, solution, coefficients) if first else 0.0,
        samples=gathered.training.factor.rows,
        dropped=gathered.dropped,
        noise=None if noise is None else float(np.ldexp(noise, scaling.exponents[-1])),
        judged=_judged(gathered, solution, squares),
        standard_errors=None if errors is None else errors[first:],
        intercept_standard_error=None if errors is None or not first else float(errors[0]),
        minimum=moments.minimum[:-1],
        maximum=moments.maximum[:-1],
        mean=moments.mean[:-1],
        deviation=moments.deviation[:-1],
        repeats=gathered.repeats,
    )


def _check_rank(gathered: Gathered, triangle: Floats) -> None:
    if not np.isfinite(np.square(triangle).sum()):
        raise BadData(TOO_LARGE)
    options, moments = gathered.options, gathered.training.moments
    largest = np.maximum(np.abs(moments.minimum), np.abs(moments.maximum))[:-1]
    unit = EPSILON / 2 * math.sqrt(moments.rows)
    rounding = np.ldexp(largest, -gathered.scaling.exponents[:-1]) * unit
    found = dependent(triangle, options.fit_intercept, rounding, gathered.blocks)
    if found is not None:
        raise _dependent_columns(found, options, moments)


def _dependent_columns(found: Dependence, options: Options, moments: Moments) -> BadData:
    constant = [number for number in found.fixed if moments.constant[number]]
    combined = sorted({*found.fixed, *found.involved} - set(constant))
    what = "constant, which the intercept is already" if options.fit_intercept else "zero throughout"
    leave = [options.features[number] for number in sorted((*found.fixed, *found.surplus))]

    def message(names: str, listed: int) -> str:
        why = [
            f"{_named(options, numbers, listed)} {'are' if len(numbers) > 1 else 'is'} {text}"
            for numbers, text in ((constant, what), (combined, "linearly dependent"))
            if numbers
        ]
        return f"leave out {names}, or set ridge: {'; '.join(why)}"

    whole = message(display_names(leave, len(leave)), MAX_LISTED)
    return BadData(whole, whole if len(whole) <= MAX_MESSAGE else message(_shortened(leave), 1))


def _named(options: Options, numbers: list[int], listed: int) -> str:
    return display_names([options.features[number] for number in numbers], listed)


def _shortened(names: list[str]) -> str:
    """All of them if there is room; else as many as fit, and where all of them are, since fewer are not enough."""
    most = len(names)
    while most > 1 and len(display_names(names, most)) > ROOM:
        most -= 1
    return display_names(names, most) + (" (the Job's log names all)" if most < len(names) else "")


def _intercept(scaling: Scaling, solution: Solution, coefficients: Floats) -> float:
    """Back to the data's units in exact arithmetic: with means far from zero this sum loses digits."""
    if not (np.isfinite(coefficients).all() and np.isfinite(solution.beta).all()):
        raise BadData(TOO_LARGE)
    total = scaling.centre(-1) + Fraction(float(solution.beta[0])) * Fraction(2) ** int(scaling.exponents[-1])
    for number, value in enumerate(coefficients):
        total -= Fraction(float(value)) * scaling.centre(number)
    try:
        return float(total) + 0.0
    except OverflowError as error:
        raise BadData(TOO_LARGE) from error


def _standard_errors(gathered: Gathered, solution: Solution, noise: float) -> Floats:
    """In units of the data, the intercept's first where there is one. `noise` is in scaled units.

    They are noise times the lengths of the rows of the inverse factor, (R'R)^-1 being its product with its transpose.
    """
    scaling, rows = gathered.scaling, solution.inverse
    powers = scaling.exponents[-1] - scaling.exponents[:-1]
    if gathered.options.fit_intercept:
        shift = np.append(1.0, -scaling.offsets[:-1])  # intercept = beta0 - sum of beta_j offset_j, but for a constant
        rows = np.vstack((shift @ rows, rows[1:]))
        powers = np.append(scaling.exponents[-1], powers)
    errors: Floats = np.ldexp(noise * np.sqrt(np.square(rows).sum(axis=1)), powers)
    return errors


def _judged(gathered: Gathered, solution: Solution, squares: float) -> Judged:
    """On the rows held out where there are any; `squares` are the residuals of those fitted."""
    held = gathered.holdout.factor.rows > 0
    part = gathered.holdout if held else gathered.training
    triangle = part.factor.triangle
    squares = residual_squares(triangle, solution.beta) if held else squares
    exponent = gathered.scaling.exponents[-1]
    if gathered.options.fit_intercept:
        total = total_squares(triangle, intercept=True)
    else:  # the factor has no column of ones to take the mean out with
        total = (part.moments.rows - 1) * float(np.ldexp(part.moments.deviation[-1], -exponent)) ** 2
    r2 = None if part.moments.constant[-1] or not total else 1 - squares / total
    mse = float(np.ldexp(squares / part.factor.rows, 2 * exponent))
    return Judged("Holdout" if held else "Training", part.factor.rows, mse, r2)


def _numbers(fit: Fit) -> Iterator[float]:
    for array in (fit.coefficients, fit.standard_errors, fit.minimum, fit.maximum, fit.mean, fit.deviation):
        yield from () if array is None else array.tolist()
    for number in (fit.intercept, fit.noise, fit.intercept_standard_error, fit.judged.mse, fit.judged.r2):
        yield 0.0 if number is None else number
