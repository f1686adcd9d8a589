"""The facts of a training that people need apart from its numbers: columns left out, and warnings. PURE."""

from collections.abc import Iterator, Sequence

from linplane_api.display import display_name, display_names
from linplane_api.facts import (
    MAX_LEFT_OUT,
    MAX_MESSAGE,
    Facts,
    LeftOutColumn,
    LeftOutReason,
    TrainingWarning,
    WarningReason,
)

from .data.left_out import format_left_out
from .fit.types import Fit, FitOptions

MANY_DROPPED = 0.05
ENOUGH_ROWS = 10
"""Rows for each coefficient: F. E. Harrell, Regression Modeling Strategies, 4.4."""
EXACT = 1e-12
INFLATED = 1e10
"""A variance inflation factor with which a coefficient has 10 digits less than the data: far above that of Longley's
data (1.8e3), which is known as hard."""
INDEX = LeftOutColumn("column 1", LeftOutReason.NO_NAME)
"""The row numbers that `to_csv` of pandas and `write.csv` of R put first: recorded, but no reason for a warning."""


def facts_of(
    options: FitOptions, target: str, fit: Fit, left_out: Sequence[LeftOutColumn], software: dict[str, str]
) -> Facts:
    """The facts of one training. `software` has the versions of what trained."""
    found = [
        *_rows_dropped(fit),
        *_columns_left_out(left_out),
        *_few_rows(options, fit),
        *_target_repeated(options, target, fit),
        *_nearly_dependent(options, fit),
    ]
    warnings = tuple(TrainingWarning(reason, message[:MAX_MESSAGE]) for reason, message in found)
    return Facts(
        tuple(left_out[:MAX_LEFT_OUT]),
        len(left_out),
        warnings,
        software=software,
        target=fit.target,
        residuals=fit.residuals,
    )


Found = Iterator[tuple[WarningReason, str]]


def _rows_dropped(fit: Fit) -> Found:
    rows = fit.samples + fit.held_out + fit.dropped
    if fit.dropped > MANY_DROPPED * rows:
        share = 100 * fit.dropped / rows
        text = f"{fit.dropped} of {rows} rows ({share:.3g} %) have a gap in a column in use and were dropped"
        yield WarningReason.ROWS_DROPPED, text


def _columns_left_out(left_out: Sequence[LeftOutColumn]) -> Found:
    left_out = [one for one in left_out if one != INDEX]
    if left_out:
        what = "1 column was" if len(left_out) == 1 else f"{len(left_out)} columns were"
        yield WarningReason.COLUMNS_LEFT_OUT, f"{what} left out: {format_left_out(left_out)}"


def _few_rows(options: FitOptions, fit: Fit) -> Found:
    if fit.samples < ENOUGH_ROWS * options.size:
        text = f"{fit.samples} rows were fitted for {options.size} coefficients, fewer than {ENOUGH_ROWS} for each"
        yield WarningReason.FEW_ROWS, text


def _target_repeated(options: FitOptions, target: str, fit: Fit) -> Found:
    r2 = fit.evaluation.r2
    if fit.repeats:
        names = display_names([options.features[number] for number in fit.repeats])
        verb = "equal" if len(fit.repeats) > 1 else "equals"
        yield WarningReason.TARGET_REPEATED, f"{names} {verb} the target {display_name(target)} in every row"
    elif r2 is not None and r2 > 1 - EXACT and fit.samples > 2 * options.size:
        text = f"R2 differs from 1 by less than 1e-12: the features give the target {display_name(target)} exactly"
        yield WarningReason.TARGET_REPEATED, text


def _nearly_dependent(options: FitOptions, fit: Fit) -> Found:
    if fit.inflation is None:
        return
    found = [name for name, factor in zip(options.features, fit.inflation, strict=True) if factor > INFLATED]
    if found:
        what = f"{display_names(found)} {'are' if len(found) > 1 else 'is'} nearly a combination of other columns"
        text = f"{what}, with a variance inflation factor of up to {fit.inflation.max():.2g}"
        yield WarningReason.NEARLY_DEPENDENT, text
