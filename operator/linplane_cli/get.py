"""`linplane get`: prints the objects of local mode with kubectl's columns."""

import json
from pathlib import Path
from typing import Any

import click

from .output import age, fail, print_json, print_table, say

KINDS = {
    "models": "LinearModel",
    "routes": "ModelRoute",
    "servers": "ModelServer",
}
ALIASES = {
    **{name: name for name in KINDS},
    "lmod": "models",
    "linearmodels": "models",
    "linearmodel": "models",
    "model": "models",
    "mroute": "routes",
    "modelroutes": "routes",
    "modelroute": "routes",
    "route": "routes",
    "mserver": "servers",
    "modelservers": "servers",
    "modelserver": "servers",
    "server": "servers",
}


@click.command(
    epilog="""\b
Examples:
  linplane get --dir manifests/examples/penguins
  linplane get models penguin-mass-v1 -o json --dir manifests/examples/penguins
"""
)
@click.argument("kind", required=False)
@click.argument("name", required=False)
@click.option(
    "--dir",
    "folder",
    default=".",
    show_default=True,
    type=click.Path(path_type=Path, exists=True),
    help="The folder of manifests.",
)
@click.option("--state", type=click.Path(path_type=Path), help="Its state folder  [default: DIR/.linplane].")
@click.option("-o", "--output", type=click.Choice(["table", "wide", "json"]), default="table", help="Output format.")
def get(kind: str | None, name: str | None, folder: Path, state: Path | None, output: str) -> None:
    """Print models, routes or servers (without KIND: all) of local mode, and the problems of its manifests."""
    if kind is not None and kind not in ALIASES:
        raise click.UsageError(f"{kind} is not a kind; there are {', '.join(KINDS)}")
    root = state or folder / ".linplane"
    if not (root / "objects").is_dir():
        fail(f"{root} has no state yet: start `linplane local {folder}`")
    wanted = [ALIASES[kind]] if kind else list(KINDS)
    objects = {plural: _read(root, KINDS[plural], name) for plural in wanted}
    if name and not any(objects.values()):
        fail(f"there is no {KINDS[wanted[0]]} {name}")
    if output == "json":
        items = [body for bodies in objects.values() for body in bodies]
        print_json(items[0] if name else {"apiVersion": "v1", "kind": "List", "items": items})
        return
    for number, (plural, bodies) in enumerate(objects.items()):
        if number:
            say()
        _print(KINDS[plural], bodies, wide=output == "wide")
    _print_problems(root)
    if not _is_running(root):
        say("linplane local is not running here: this is its last state", err=True)


def _is_running(root: Path) -> bool:
    """True if `linplane local` runs with this state folder."""
    from linplane_api.locks import is_locked

    return is_locked(root / "lock")


def _read(root: Path, kind: str, name: str | None) -> list[dict[str, Any]]:
    from linplane_api.kinds import OURS

    plural = next(k.plural for k in OURS if k.kind == kind)
    bodies = []
    for path in sorted((root / "objects" / plural).glob("*.json")):
        try:
            body = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # deleted meanwhile
        if isinstance(body, dict) and isinstance(body.get("metadata"), dict) and name in (None, path.stem):
            bodies.append(body)
    return bodies


def _print(kind: str, bodies: list[dict[str, Any]], *, wide: bool) -> None:
    if not bodies:
        say(f"no {kind}s")
        return
    from linplane_api.manifests.validation import column_value, load_schemas

    columns = [column for column in load_schemas().columns(kind) if wide or not column.wide]
    rows = [
        [
            body["metadata"].get("name"),
            *(_shown(column.type, column_value(body, column.json_path)) for column in columns),
        ]
        for body in bodies
    ]
    print_table(("name", *(column.name for column in columns)), rows)


def _shown(kind: str, value: object) -> str:
    from datetime import UTC, datetime

    from linplane_api.timing import parse_rfc3339

    if value is None:
        return ""
    if kind == "date":
        try:
            return age((datetime.now(UTC) - parse_rfc3339(str(value))).total_seconds())
        except ValueError:
            return "<unknown>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _print_problems(root: Path) -> None:
    try:
        problems = json.loads((root / "problems.json").read_text(encoding="utf-8"))
        for problem in problems:
            place = f"{problem['field']}: " if problem["field"] else ""
            say(f"refused: {problem['file']}:{problem['line']}: {place}{problem['message']}", err=True)
    except (OSError, ValueError, KeyError, TypeError):
        return
