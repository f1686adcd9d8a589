"""What a plain installation lacks, in one line: each command imports its libraries when it is called."""

import sys
from importlib.util import find_spec
from typing import Any

import click

from .output import fail

_EXTRAS = {
    **dict.fromkeys(("yaml", "jsonschema", "cel"), "local"),
    **dict.fromkeys(("fastapi", "fastapi_swagger", "uvicorn", "uvloop", "httptools"), "local"),
    **dict.fromkeys(("numpy", "pyarrow", "threadpoolctl"), "local"),
    **dict.fromkeys(("kopf", "kubernetes", "aiohttp"), "operator"),
    "prometheus_client": "operator",
}
"""The extra of pyproject.toml that brings a module, for people: `local` contains `server` and `trainer`."""

CHILDREN = ("fastapi", "uvicorn", "numpy", "pyarrow", "threadpoolctl")
"""What the child processes of `linplane local` import."""


class Group(click.Group):
    """A group whose commands may lack their libraries."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; a module that is not installed is one line that says what to install."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            module = (error.name or "").partition(".")[0]
            command = f"linplane {ctx.invoked_subcommand}"
            if module == "fcntl":
                fail(f"{command} runs on Linux and macOS; on {sys.platform} use WSL or a container", 2)
            if module not in _EXTRAS:
                raise
            fail(f'{command} needs {module}, which is not installed: install "linplane[{_EXTRAS[module]}]"', 2)


def check_children() -> None:
    """Raises ModuleNotFoundError if a child process of `linplane local` would, whose error only its log would show."""
    for module in CHILDREN:
        try:
            found = find_spec(module) is not None
        except ValueError:  # of a module that is blocked
            found = False
        if not found:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)
