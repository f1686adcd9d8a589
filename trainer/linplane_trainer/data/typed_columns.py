"""Which columns of a table with types are features. PURE."""

from collections.abc import Sequence
from dataclasses import dataclass

from linplane_api.display import display_name
from linplane_api.facts import LeftOutColumn, LeftOutReason
from linplane_api.names import MAX_FEATURE_NAME

from ..errors import BadData
from .csv_header import Columns, Selection, check_names, default_features
from .left_out import format_left_out

MAX_SHOWN = 12


@dataclass(frozen=True)
class TypedColumn:
    """A column. `kind`: its type, for messages. `is_numeric`, `is_key`: whether values of the type are numbers, can be
    a holdout key; `is_empty`: they are null. `has_name`: the name is not one that software gave it.
    """

    name: str
    kind: str
    is_numeric: bool
    is_key: bool
    is_empty: bool = False
    has_name: bool = True


@dataclass(frozen=True)
class Choice:
    """The features; `left_out` the other columns, if the features are the default ones."""

    features: tuple[str, ...]
    left_out: tuple[LeftOutColumn, ...] = ()


def choose(
    columns: Sequence[TypedColumn], selection: Selection, *, remote: bool = False, like: Columns | None = None
) -> Choice:
    """The default features are the columns of a numeric type with a name. `remote` and `like` as for `check_names`.
    Raises BadData.
    """
    check_names([one.name for one in columns], selection, remote=remote, separator=None, like=like)
    choice = Choice(selection.features) if selection.features else _default(columns, selection.others)
    used = {*choice.features, selection.target}
    if wrong := [one for one in columns if one.name in used and not one.is_numeric]:
        more = f" and {len(wrong) - MAX_SHOWN} more" if len(wrong) > MAX_SHOWN else ""
        raise BadData(f"columns of a type that is no number: {', '.join(map(_shown, wrong[:MAX_SHOWN]))}{more}")
    if wrong := [one for one in columns if one.name in selection.keys and not one.is_key]:
        raise BadData(f"the holdout key is neither whole numbers nor text: {_shown(wrong[0])}")
    return choice


def _default(columns: Sequence[TypedColumn], others: frozenset[str]) -> Choice:
    left_out = tuple(
        LeftOutColumn(one.name[:MAX_FEATURE_NAME], LeftOutReason.EMPTY if one.is_empty else LeftOutReason.NOT_NUMERIC)
        if one.has_name
        else LeftOutColumn(f"column {number + 1}", LeftOutReason.NO_NAME)
        for number, one in enumerate(columns)
        if one.name not in others and not (one.has_name and one.is_numeric)
    )
    names = [one.name for one in columns if one.has_name and one.name not in others]
    numeric = {one.name for one in columns if one.is_numeric}
    return Choice(default_features(names, numeric, format_left_out(left_out)), left_out)


def _shown(column: TypedColumn) -> str:
    return f"{display_name(column.name)} ({column.kind})"
