"""`linplane assign`."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import grammar
from .output import fail, output_option, print_json, print_table, say
from .reading import expand, is_ours, read_text

if TYPE_CHECKING:
    from linplane_api.manifests.manifest import Document


@click.command(
    epilog="""\b
Example:
  linplane assign penguin-mass --key user-42 --dir manifests/examples/penguins
"""
)
@grammar.name(grammar.ROUTE, former="--route")
@click.option("--key", "keys", multiple=True, required=True, help="A split key, as in a request; repeatable.")
@grammar.folder("The folder of manifests.")
@click.option(
    "-f",
    "--filename",
    "files",
    cls=grammar.Alias,
    hidden=True,
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    help="Alias of --dir, for files too; repeatable.",
)
@output_option
def assign(folder: Path, files: tuple[Path, ...], route: str, keys: tuple[str, ...], output: str) -> None:
    """Print which version serves a key, computed from the manifests alone as every server does.

    Candidates that are frozen there get no share. Manifests do not say whether a version is Ready.
    """
    from linplane_api.resources import ModelRouteSpec, parse_spec
    from linplane_api.split import Splitter

    if "" in keys:
        raise click.UsageError("--key: an empty key is no key: the header or the features of the request decide")
    documents = list(_documents(files or (folder,)))
    spec = parse_spec(_find(documents, "ModelRoute", route), ModelRouteSpec)
    frozen = {
        d.body["spec"].get("version")
        for d in documents
        if d.key[0] == "LinearModel" and d.body["spec"].get("model") == spec.model and d.body["spec"].get("frozen")
    }
    salt = (spec.split_key and spec.split_key.salt) or route
    splitter = Splitter(salt, tuple(0 if entry.version in frozen else entry.share for entry in spec.split))
    rows = []
    for key in keys:
        index = splitter.pick(key)
        rows.append((key, spec.version if index is None else spec.split[index].version))
    if spec.version in frozen:
        say(f"{spec.version} is frozen: its share is answered 503", err=True)
    if output == "json":
        print_json([{"key": key, "version": version} for key, version in rows])
    else:
        print_table(("key", "version"), rows)


def _documents(paths: tuple[Path, ...]) -> "Iterator[Document]":
    from linplane_api.manifests.manifest import ManifestError, read_documents
    from linplane_api.manifests.validation import load_schemas

    for path in expand(paths):
        try:
            documents = read_documents(read_text(path))
        except ManifestError as error:
            fail(f"{path}:{error.line}: {error.message}")
        for document in documents:
            if is_ours(document):
                problems = load_schemas().validate(document.body)
                if problems:
                    field, text = problems[0].field, document.message_for(problems[0].field, problems[0].message)
                    fail(f"{path}:{document.line_of(field)}: {field + ': ' if field else ''}{text}")
                yield replace(document, body=load_schemas().with_defaults(document.body))


def _find(documents: "list[Document]", kind: str, name: str) -> dict[str, Any]:
    for document in documents:
        if document.key == (kind, name):
            return document.body
    return fail(f"there is no {kind} {name} in these files")
