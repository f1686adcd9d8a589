"""The columns that are not features, in words. PURE."""

from collections.abc import Sequence

from linplane_api.display import display_name
from linplane_api.facts import LeftOutColumn, LeftOutReason

MAX_LISTED = 12


def format_left_out(columns: Sequence[LeftOutColumn]) -> str:
    """`smoker (text, line 2), note (no value in the first MiB), column 4 (no name)`; of more than twelve the first, and
    how many more.
    """
    shown = [f"{_format_column(one)} ({_format_reason(one)})" for one in columns[:MAX_LISTED]]
    more = f" and {len(columns) - MAX_LISTED} more" if len(columns) > MAX_LISTED else ""
    return ", ".join(shown) + more


def _format_column(one: LeftOutColumn) -> str:
    return one.column if one.reason == LeftOutReason.NO_NAME else display_name(one.column)


def _format_reason(one: LeftOutColumn) -> str:
    if one.reason == LeftOutReason.NO_NAME:
        return "no name"
    if one.reason == LeftOutReason.EMPTY:
        return "no value in the first MiB"
    return "text" if one.line is None else f"text, line {one.line}"
