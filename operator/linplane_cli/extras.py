"""One-line errors for missing optional libraries, which each command imports when it is called."""

import sys
from importlib.util import find_spec
from typing import Any

import click

from .output import fail

_EXTRAS = {
    **dict.fromkeys(("yaml", "jsonschema", "cel"), "local"),
    **dict.fromkeys(("fastapi", "fastapi_swagger", "uvicorn", "uvloop", "httptools"), "local"),
    **dict.fromkeys(("flint", "numpy", "pyarrow", "threadpoolctl"), "local"),
    **dict.fromkeys(("grpc", "grpc_health"), "grpc"),
    "httpx": "client",
    **dict.fromkeys(("kopf", "kubernetes", "aiohttp"), "operator"),
    "prometheus_client": "operator",
}
"""The extra of pyproject.toml that installs each module; `local` contains `server` and `trainer`."""

CHILDREN = ("fastapi", "uvicorn", "numpy", "pyarrow", "threadpoolctl")
"""The modules that child processes of `linplane local` import."""

GRPC = ("grpc", "grpc_health")
"""Those of a server whose gRPC is on, besides."""


class Group(click.Group):
    """A command group that reports missing libraries of its commands."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; for a missing module prints one line with what to install."""
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


def check_children(*, grpc: bool) -> None:
    """Raises ModuleNotFoundError if a child process of `linplane local` would, as only its log would show that. `grpc`:
    whether gRPC is on.
    """
    for module in (*CHILDREN, *(GRPC if grpc else ())):
        try:
            found = find_spec(module) is not None
        except ValueError:  # the module is blocked
            found = False
        if not found:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)
