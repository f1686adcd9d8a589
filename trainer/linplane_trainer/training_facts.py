"""What people have to know of a training beside its numbers: what was left out, and what looks wrong. PURE."""

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

from .fit.types import Fit, Options

MANY_DROPPED = 0.05
ENOUGH_ROWS = 10
"""Rows for each coefficient: F. E. Harrell, Regression Modeling Strategies, 4.4."""
EXACT = 1e-12
MAX_LISTED = 12
INDEX = LeftOutColumn("column 1", LeftOutReason.NO_NAME)
"""The row numbers that `to_csv` of pandas and `write.csv` of R put first: a fact, and no reason for a warning."""


def facts_of(options: Options, target: str, fit: Fit, left_out: Sequence[LeftOutColumn]) -> Facts:
    """The facts of one training."""
    found = [
        *_rows_dropped(fit),
        *_columns_left_out(left_out),
        *_few_rows(options, fit),
        *_target_repeated(options, target, fit),
    ]
    warnings = tuple(TrainingWarning(reason, message[:MAX_MESSAGE]) for reason, message in found)
    return Facts(tuple(left_out[:MAX_LEFT_OUT]), len(left_out), warnings)


def left_out_text(columns: Sequence[LeftOutColumn]) -> str:
    """`smoker (text, line 2), note (no value in the first MiB), column 4 (no name)`; of more than twelve the first, and
    how many more.
    """
    shown = [f"{_shown(one)} ({_why(one)})" for one in columns[:MAX_LISTED]]
    more = f" and {len(columns) - MAX_LISTED} more" if len(columns) > MAX_LISTED else ""
    return ", ".join(shown) + more


def _shown(one: LeftOutColumn) -> str:
    return one.column if one.reason == LeftOutReason.NO_NAME else display_name(one.column)


def _why(one: LeftOutColumn) -> str:
    if one.reason == LeftOutReason.NO_NAME:
        return "no name"
    if one.reason == LeftOutReason.EMPTY:
        return "no value in the first MiB"
    return "text" if one.line is None else f"text, line {one.line}"


Found = Iterator[tuple[WarningReason, str]]


def _rows_dropped(fit: Fit) -> Found:
    rows = fit.samples + fit.held + fit.dropped
    if fit.dropped > MANY_DROPPED * rows:
        share = 100 * fit.dropped / rows
        text = f"{fit.dropped} of {rows} rows ({share:.3g} %) have a gap in a column in use and were dropped"
        yield WarningReason.ROWS_DROPPED, text


def _columns_left_out(left_out: Sequence[LeftOutColumn]) -> Found:
    left_out = [one for one in left_out if one != INDEX]
    if left_out:
        what = "1 column was" if len(left_out) == 1 else f"{len(left_out)} columns were"
        yield WarningReason.COLUMNS_LEFT_OUT, f"{what} left out: {left_out_text(left_out)}"


def _few_rows(options: Options, fit: Fit) -> Found:
    if fit.samples < ENOUGH_ROWS * options.size:
        text = f"{fit.samples} rows were fitted for {options.size} coefficients, fewer than {ENOUGH_ROWS} for each"
        yield WarningReason.FEW_ROWS, text


def _target_repeated(options: Options, target: str, fit: Fit) -> Found:
    r2 = fit.judged.r2
    if fit.repeats:
        names = display_names([options.features[number] for number in fit.repeats])
        verb = "equal" if len(fit.repeats) > 1 else "equals"
        yield WarningReason.TARGET_REPEATED, f"{names} {verb} the target {display_name(target)} in every row"
    elif r2 is not None and r2 > 1 - EXACT and fit.samples > 2 * options.size:
        text = f"R2 differs from 1 by less than 1e-12: the features give the target {display_name(target)} exactly"
        yield WarningReason.TARGET_REPEATED, text
