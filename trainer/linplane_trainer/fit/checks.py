"""What both ways to a fit refuse, in the same words."""

from dataclasses import dataclass

from linplane_api.display import MAX_LISTED, display_names
from linplane_api.facts import MAX_MESSAGE

from ..errors import BadData
from .types import FitOptions

ROOM = 700  # characters for the names to leave out, if the message is too long for a status
TOO_LARGE = "the values are too large: a result is not a finite number"


@dataclass(frozen=True)
class Dependence:
    """Features, by number, that a fit cannot have all of. `fixed` do not vary; `involved` are linear combinations of
    each other; the rest is independent without the `fixed` and the `surplus`, some of those involved.
    """

    fixed: list[int]
    involved: list[int]
    surplus: list[int]


def check_rows(options: FitOptions, rows: int, held: int, dropped: int) -> None:
    """Raises BadData if `rows` rows are too few to fit."""
    if rows < (2 if options.ridge else options.size):  # with a penalty, fewer rows have one best answer too
        gone = [f"{held} held out"] if held else []
        gone += [f"{dropped} dropped for gaps"] if dropped else []
        detail = f" ({', '.join(gone)})" if gone else ""
        raise BadData(f"{rows} rows to fit{detail} are fewer than the {max(2, options.size)} that are needed")


def check_target(is_constant: bool) -> None:
    """Raises BadData for a target that is constant."""
    if is_constant:
        raise BadData("the target is constant: it has one value in every row that is fitted")


def dependence_error(found: Dependence, options: FitOptions, constant: list[int]) -> BadData:
    """The error that names the features to leave out; `constant` are those of the `fixed` that have one value."""
    combined = sorted({*found.fixed, *found.involved} - set(constant))
    what = "constant, which the intercept is already" if options.fit_intercept else "zero throughout"
    leave = [options.features[number] for number in sorted((*found.fixed, *found.surplus))]

    def message(names: str, listed: int) -> str:
        why = [
            f"{_format_names(options, numbers, listed)} {'are' if len(numbers) > 1 else 'is'} {text}"
            for numbers, text in ((constant, what), (combined, "linearly dependent"))
            if numbers
        ]
        return f"leave out {names}, or set ridge: {'; '.join(why)}"

    whole = message(display_names(leave, len(leave)), MAX_LISTED)
    return BadData(whole, whole if len(whole) <= MAX_MESSAGE else message(_format_shortened(leave), 1))


def _format_names(options: FitOptions, numbers: list[int], listed: int) -> str:
    return display_names([options.features[number] for number in numbers], listed)


def _format_shortened(names: list[str]) -> str:
    """All names if there is room; else as many as fit, and where to find all, since leaving out fewer is not enough."""
    most = len(names)
    while most > 1 and len(display_names(names, most)) > ROOM:
        most -= 1
    return display_names(names, most) + (" (the Job's log names all)" if most < len(names) else "")
