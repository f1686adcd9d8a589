"""`linplane get`: prints the objects of local mode with kubectl's columns."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import click

from . import grammar
from .grammar import Kind
from .output import age, fail, print_json, print_table, say
from .reading import state_folder, warn_if_stopped


@click.command(
    epilog="""\b
Examples:
  linplane get --dir manifests/examples/penguins
  linplane get versions penguin-mass-v1 -o json --dir manifests/examples/penguins
"""
)
@grammar.kind()
@grammar.names()
@grammar.folder("The folder of manifests.")
@grammar.state()
@click.option("-o", "--output", type=click.Choice(["table", "wide", "json"]), default="table", help="Output format.")
def get(kind: Kind | None, names: tuple[str, ...], folder: Path, state: Path | None, output: str) -> None:
    """Print versions, routes or servers (without KIND: all) of local mode, and the problems of its manifests."""
    root = state_folder(folder, state)
    objects = {found: _read(root, found.resource, names) for found in ([kind] if kind else grammar.KINDS)}
    missing = set(names) - {body["metadata"].get("name") for bodies in objects.values() for body in bodies}
    if missing:
        fail(f"there is no {next(iter(objects)).resource} {', '.join(sorted(missing))}")
    if output == "json":
        items = [body for bodies in objects.values() for body in bodies]
        print_json(items[0] if len(names) == 1 else {"apiVersion": "v1", "kind": "List", "items": items})
        return
    for number, (found, bodies) in enumerate(objects.items()):
        if number:
            say()
        _print(found.resource, bodies, wide=output == "wide")
    _print_problems(root)
    warn_if_stopped(root)


def _read(root: Path, kind: str, names: Collection[str]) -> list[dict[str, Any]]:
    from linplane_api.kinds import OURS

    plural = next(k.plural for k in OURS if k.kind == kind)
    bodies = []
    for path in sorted((root / "objects" / plural).glob("*.json")):
        try:
            body = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # deleted meanwhile
        if isinstance(body, dict) and isinstance(body.get("metadata"), dict) and (not names or path.stem in names):
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
