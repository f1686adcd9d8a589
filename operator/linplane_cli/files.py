"""`linplane validate` and `linplane assign`: what can be said of files alone."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .output import fail, output_option, print_json, print_table

if TYPE_CHECKING:
    from linplane_api.manifest import Document

Finding = dict[str, str | int]


@click.command(
    epilog="""\b
Examples:
  linplane validate manifests/examples/penguins
  linplane validate model.json route.yaml -o json
"""
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@output_option
def validate(files: tuple[Path, ...], output: str) -> None:
    """Check manifests and artifacts by the cluster's own rules, without one. A folder stands for its manifests."""
    findings: list[Finding] = []
    checked: list[str] = []
    for path in _expand(files):
        found, what = _check(path)
        findings += found
        checked.append(f"{path}: {what}")
    if output == "json":
        print_json(findings)
    else:
        for finding in findings:
            place = f"{finding['field']}: " if finding["field"] else ""
            click.echo(f"{finding['file']}:{finding['line']}: {place}{finding['message']}", err=True)
        for line in checked:
            click.echo(line)
    if findings:
        raise SystemExit(1)


def _expand(paths: tuple[Path, ...]) -> Iterator[Path]:
    from linplane_api.manifest import SUFFIXES

    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.iterdir() if p.suffix in SUFFIXES and not p.name.startswith("."))
        else:
            yield path


def _check(path: Path) -> tuple[list[Finding], str]:
    from linplane_api.manifest import ManifestError, read_documents
    from linplane_api.validation import load_schemas

    def finding(line: int, field: str, message: str) -> Finding:
        return {"file": str(path), "line": line, "field": field, "message": message}

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return [finding(1, "", f"cannot be read: {error}")], "not read"
    if path.suffix == ".json" and _is_artifact(text):
        return _check_artifact(text, finding)
    try:
        documents = read_documents(text)
    except ManifestError as error:
        return [finding(error.line, error.field, error.message)], "not valid"
    findings = [
        finding(document.line_of(problem.field), problem.field, problem.message)
        for document in documents
        if str(document.body.get("apiVersion")).startswith("linplane.dev")
        for problem in load_schemas().judge(document.body)
    ]
    kinds = ", ".join(f"{d.body.get('kind')} {(d.body.get('metadata') or {}).get('name')}" for d in documents)
    return findings, f"{'not valid' if findings else 'valid'}: {kinds or 'no objects'}"


def _is_artifact(text: str) -> bool:
    try:
        body = json.loads(text)
    except ValueError:
        return False
    return isinstance(body, dict) and "kind" not in body


def _check_artifact(text: str, finding: Any) -> tuple[list[Finding], str]:
    from linplane_api.artifact import parse_artifact
    from linplane_api.canonical import FormatError

    try:
        file = parse_artifact(text)
    except FormatError as error:
        return [finding(1, error.path, error.problem)], "not valid"
    return [], f"valid: artifact of {len(file.artifact.features)} features, {file.digest}"


@click.command(
    epilog="""\b
Example:
  linplane assign -f manifests/examples/penguins --route penguin-mass --key user-42
"""
)
@click.option("-f", "--filename", "paths", multiple=True, default=(".",), type=click.Path(path_type=Path, exists=True))
@click.option("--route", required=True, help="The ModelRoute's name.")
@click.option("--key", "keys", multiple=True, required=True, help="A key as a request would bring it; repeatable.")
@output_option
def assign(paths: tuple[Path, ...], route: str, keys: tuple[str, ...], output: str) -> None:
    """Say which version answers a key, from the manifests alone: the same that every server computes."""
    from linplane_api.resources import ModelRouteSpec, parse_spec
    from linplane_api.split import Splitter

    documents = list(_documents(paths))
    body = _find(documents, "ModelRoute", route)
    spec = parse_spec(body, ModelRouteSpec)
    frozen = {
        d.body["spec"].get("version")
        for d in documents
        if d.body.get("kind") == "LinearModel"
        and d.body["spec"].get("model") == spec.model
        and d.body["spec"].get("frozen")
    }
    salt = (spec.split_key and spec.split_key.salt) or route
    splitter = Splitter(salt, tuple(0 if entry.version in frozen else entry.share for entry in spec.split))
    rows = []
    for key in keys:
        index = splitter.pick(key)
        rows.append((key, spec.version if index is None else spec.split[index].version))
    if output == "json":
        print_json([{"key": key, "version": version} for key, version in rows])
    else:
        print_table(("key", "version"), rows)


def _documents(paths: tuple[Path, ...]) -> "Iterator[Document]":
    from linplane_api.manifest import ManifestError, read_documents
    from linplane_api.validation import load_schemas

    for path in _expand(paths):
        try:
            for document in read_documents(path.read_text(encoding="utf-8")):
                if str(document.body.get("apiVersion")).startswith("linplane.dev"):
                    problems = load_schemas().judge(document.body)
                    if problems:
                        fail(f"{path}:{document.line_of(problems[0].field)}: {problems[0]}")
                    yield document
        except ManifestError as error:
            fail(f"{path}:{error.line}: {error.message}")
        except (OSError, UnicodeDecodeError) as error:
            fail(f"{path}: {error}")


def _find(documents: "list[Document]", kind: str, name: str) -> dict[str, Any]:
    for document in documents:
        if document.body.get("kind") == kind and document.body["metadata"]["name"] == name:
            return document.body
    return fail(f"there is no {kind} {name} in these files")
