"""The output of `linplane local`: aligned lines, coloured on a terminal."""

import os
import sys
from datetime import UTC, datetime

import click
import pytest
from click.testing import CliRunner

from linplane_cli.console import Console


@click.command()
def say() -> None:
    """Prints a line of each tone."""
    console = Console(lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    console.line("ready", "route rent: v1 100 %", "good")
    console.line("warning", "a text\nof two lines", "warning")
    console.line("warning", "a\x1b]0;title\x07b\r", "warning")
    console.line("applied", "a.yaml: 1 created")
    console.line("try", "curl it", "hint")


def test_lines_are_aligned_and_plain_without_a_terminal() -> None:
    assert CliRunner().invoke(say).stdout.splitlines() == [
        "03:04:05  ready     route rent: v1 100 %",
        "03:04:05  warning   a text of two lines",
        r"03:04:05  warning   a\x1b]0;title\x07b\r",
        "03:04:05  applied   a.yaml: 1 created",
        "03:04:05  try       curl it",
    ]


def test_warnings_are_highlighted_on_a_terminal() -> None:
    lines = CliRunner().invoke(say, color=True).stdout.splitlines()
    assert click.style("warning  ", fg="yellow", bold=True) in lines[1]
    assert click.style("ready    ", fg="green") in lines[0]
    assert all("\x1b[2m03:04:05\x1b[0m" in line for line in lines)


def test_closed_pipe_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("linplane_cli.console.click.echo", closed)
    monkeypatch.setattr("sys.stdout", None)
    Console(lambda: datetime(2026, 1, 1, tzinfo=UTC)).line("ready", "a")
    assert sys.stdout.name == os.devnull
    sys.stdout.close()
