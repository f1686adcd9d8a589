"""Output formats: tables and ages like kubectl's, JSON, and one-line errors."""

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

output_option = click.option(
    "-o", "--output", type=click.Choice(["table", "json"]), default="table", help="Output format."
)

log_level_option = click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="The least severe messages to log; debug shows every write.",
)


def say(text: str = "", *, err: bool = False) -> None:
    """Prints lines, with control characters from users' data escaped."""
    from linplane_api.display import escaped

    click.echo("\n".join(map(escaped, text.split("\n"))), err=err)


def print_table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Prints columns like kubectl: upper-case headers, left aligned, three spaces between."""
    from linplane_api.display import escaped

    cells = [
        [header.upper() for header in headers],
        *(["" if cell is None else escaped(str(cell)) for cell in row] for row in rows),
    ]
    widths = [max(len(row[i]) for row in cells) for i in range(len(headers))]
    for row in cells:
        say("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_json(value: object) -> None:
    """Prints indented JSON."""
    click.echo(json.dumps(value, indent=2))


def fail(message: str, code: int = 1) -> NoReturn:
    """Prints one line to standard error and exits with `code`."""
    say(f"linplane: {message}", err=True)
    sys.exit(code)


def age(seconds: float) -> str:
    """An age as in kubectl: `45s`, `5m10s`, `3h`, `12d`."""
    whole = max(0, int(seconds))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return f"{minutes}m{whole % 60}s" if whole % 60 else f"{minutes}m"
    if hours < 3:
        return f"{minutes}m"
    if hours < 48:
        return f"{hours}h"
    return f"{days}d"
