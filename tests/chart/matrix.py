"""The value files of helm/linplane/ci, each rendered once."""

import copy
from functools import cache
from typing import Any

import yaml

from .render import CHART, Object, render, render_text

NAMES = sorted(path.stem for path in (CHART / "ci").glob("*.yaml"))


def values(name: str) -> dict[str, Any]:
    """The text of a file."""
    found: dict[str, Any] = yaml.safe_load((CHART / f"ci/{name}.yaml").read_text(encoding="utf-8"))
    return found


@cache
def _rendered(name: str) -> list[Object]:
    return render(values(name))


def rendered(name: str) -> list[Object]:
    """A copy of the rendered objects."""
    return copy.deepcopy(_rendered(name))


@cache
def texts(name: str) -> dict[str, str]:
    """The rendered text by template."""
    return render_text(values(name))


def every_object() -> list[tuple[str, Object]]:
    """Every object of every file with the file's name, without duplicates."""
    seen: dict[str, tuple[str, Object]] = {}
    for name in NAMES:
        for body in rendered(name):
            seen.setdefault(repr(body), (name, body))
    return list(seen.values())
