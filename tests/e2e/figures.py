"""Figures that the stories measure: printed, and kept in a file for `make bench-cluster`."""

import json
from collections.abc import Callable
from pathlib import Path

FILE = Path(__file__).parents[2] / ".e2e" / "figures.json"

RecordFigure = Callable[[str, str, str], None]
"""By figure: the measured value, and the required one or an empty string."""


def begin() -> None:
    """Removes the figures of an earlier run."""
    FILE.unlink(missing_ok=True)


def add(figure: str, measured: str, asked: str) -> None:
    """Stores a figure, and replaces an earlier one of the same name."""
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps({**read(), figure: [measured, asked]}, indent=1), encoding="utf-8")


def read() -> dict[str, list[str]]:
    """The figures of the last run in order, each with its measured and its required value."""
    found: dict[str, list[str]] = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
    return found
