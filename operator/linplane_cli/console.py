"""What `linplane local` prints: a time, a word for what happened, and to what. Colour on a terminal alone."""

import os
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Literal

import click

COLORS = {"good": "green", "warning": "yellow", "hint": "cyan"}


class Console:
    """Prints lines; whoever reads them may go away at any moment."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        """`now` is the clock, in the local zone."""
        self._now = now

    def line(self, word: str, text: str, tone: Literal["plain", "good", "warning", "hint"] = "plain") -> None:
        """Prints one line. A text of several is shown as one."""
        from linplane_api.display import escaped

        shown = escaped(" ".join(text.split("\n")))
        time = click.style(f"{self._now():%H:%M:%S}", dim=True)
        try:
            click.echo(
                f"{time}  {click.style(f'{word:<9}', fg=COLORS.get(tone), bold=tone == 'warning' or None)} {shown}"
            )
        except OSError:  # a pipe that was closed: go on without
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - for the rest of the process
