"""`linplane validate`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from . import grammar
from .output import fail, output_option, print_json, say
from .reading import expand, is_ours, read_text

if TYPE_CHECKING:
    from linplane_api.manifests.manifest import Document


class Finding(NamedTuple):
    """A problem and its place."""

    file: str
    line: int
    field: str
    message: str


@click.command(
    epilog="""\b
Examples:
  linplane validate --dir manifests/examples/penguins
  linplane validate model.json route.yaml -o json
"""
)
@grammar.files()
@grammar.folder("The folder of manifests.", default=None)
@output_option
def validate(files: tuple[Path, ...], folder: Path | None, output: str) -> None:
    """Check manifests and artifacts by the rules of the CRDs, without a cluster.

    A second object of the same name in a file is validated as an update of the first one. With -o json: a list of
    {file, line, field, message}.
    """
    checker = _Checker()
    if folder is not None:
        files = (folder, *files)
    if not files:
        raise click.UsageError("FILE or --dir is missing")
    paths = list(expand(files))
    if not paths:
        fail("there is no manifest in this folder" if len(files) == 1 else "there are no manifests in these folders")
    for path in paths:
        checker.check(path)
    checker.check_weights()
    if output == "json":
        print_json([finding._asdict() for finding in checker.findings])
    else:
        for finding in checker.findings:
            place = f"{finding.field}: " if finding.field else ""
            say(f"{finding.file}:{finding.line}: {place}{finding.message}", err=True)
        wrong = {finding.file for finding in checker.findings}
        for file, what in checker.seen:
            say(f"{file}: {'not ' if file in wrong else ''}valid{': ' if what else ''}{what}")
    if checker.findings:
        raise SystemExit(1)


class _Checker:
    """Validates files one by one, then references between them."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.seen: list[tuple[str, str]] = []
        self._objects: dict[tuple[str, str], tuple[str, Document]] = {}

    def check(self, path: Path) -> None:
        """Validates one file of any content."""
        from linplane_api.manifests.manifest import ManifestError, read_documents
        from linplane_operator.local.admission import has_name

        try:
            text = read_text(path)
            if path.suffix == ".json" and _is_artifact(text):
                self._artifact(path, text)
                return
            documents = read_documents(text)
        except ManifestError as error:
            self.findings.append(Finding(str(path), error.line, error.field, error.message))
            self.seen.append((str(path), ""))
            return
        for document in documents:
            for field, message in self._judge(str(path), document):
                text = document.message_for(field, message)
                self.findings.append(Finding(str(path), document.line_of(field), field, text))
            if has_name(document.body):
                self._objects.setdefault(document.key, (str(path), document))
        self.seen.append((str(path), ", ".join(" ".join(d.key) for d in documents) or "no objects"))

    def _judge(self, file: str, document: "Document") -> Iterator[tuple[str, str]]:
        from linplane_api.kinds import CONFIG_MAP, REPLICA_REPORT
        from linplane_api.manifests.validation import load_schemas
        from linplane_operator.local.admission import kind_of, problems_of_unaccepted, validate_config_map
        from linplane_operator.local.secrets import is_secret, problems_of_secret

        body = document.body
        place, first = self._objects.get(document.key, ("", None))
        before = first.body if first and place == file else None
        known = kind_of(document)
        if known is CONFIG_MAP:
            problems = validate_config_map(body)
        elif is_secret(document):
            problems = problems_of_secret(body)
        elif known or (body.get("apiVersion"), body.get("kind")) == (REPLICA_REPORT.api_version, REPLICA_REPORT.kind):
            problems = [(p.field, p.message) for p in load_schemas().validate(body, before)]
        else:
            problems = problems_of_unaccepted(body)
        if first and not problems:
            kind, name = document.key
            problems = [("metadata.name", f"{kind} {name} is also defined in {place}:{first.line}")]
        yield from problems

    def _artifact(self, path: Path, text: str) -> None:
        from linplane_api.artifact import parse_artifact
        from linplane_api.canonical import FormatError

        try:
            file = parse_artifact(text)
        except FormatError as error:
            self.findings.append(Finding(str(path), 1, error.path, error.problem))
            self.seen.append((str(path), "artifact"))
        else:
            count = len(file.artifact.features)
            self.seen.append((str(path), f"artifact of {count} feature{'' if count == 1 else 's'}, {file.digest}"))

    def check_weights(self) -> None:
        """Validates weights whose ConfigMap is among the files, as the operator does."""
        from linplane_api.manifests.validation import load_schemas
        from linplane_api.resources import LinearModelSpec, parse_spec
        from linplane_operator.compile.artifacts import read_source
        from linplane_operator.compile.observed import ConfigMap

        wrong = {finding.file for finding in self.findings}
        for (kind, _), (file, document) in self._objects.items():
            if kind != "LinearModel" or file in wrong or not is_ours(document):
                continue
            spec = parse_spec(load_schemas().with_defaults(document.body), LinearModelSpec)
            name = spec.weights.config_map_key_ref.name if spec.weights else ""
            source_file, source = self._objects.get(("ConfigMap", name), ("", None))
            if source is None or source_file in wrong:
                continue
            verdict = read_source(spec, ConfigMap.of(source.body), None)
            if verdict.file is None or verdict.missed:
                message = verdict.cause.message
                self.findings.append(Finding(file, document.line_of("spec.weights"), "spec.weights", message))


def _is_artifact(text: str) -> bool:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(body, dict) and "kind" not in body
