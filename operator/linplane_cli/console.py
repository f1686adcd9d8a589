"""The output of `linplane local`: time, event and object per line, coloured on a terminal."""

import os
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Literal

import click

COLORS = {"good": "green", "warning": "yellow", "hint": "cyan"}


class Console:
    """Prints lines; the reading end of a pipe may close at any time."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        """`now` returns the local time."""
        self._now = now

    def line(self, word: str, text: str, tone: Literal["plain", "good", "warning", "hint"] = "plain") -> None:
        """Prints one line; line breaks in the text become spaces."""
        from linplane_api.display import escaped

        shown = escaped(" ".join(text.split("\n")))
        time = click.style(f"{self._now():%H:%M:%S}", dim=True)
        try:
            click.echo(
                f"{time}  {click.style(f'{word:<9}', fg=COLORS.get(tone), bold=tone == 'warning' or None)} {shown}"
            )
        except OSError:  # a closed pipe: continue without output
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - for the rest of the process
