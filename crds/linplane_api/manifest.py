"""Manifests: YAML files as `kubectl apply` reads them, with the line of every field, and one field changed in place.

Scalars resolve as they do for kubectl (YAML 1.1 words for booleans, no dates, no base-60 numbers, `1e-6` is a float).
A key that stands twice in a mapping is an error.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .folder import write_atomically

SUFFIXES = (".yaml", ".yml", ".json")
MAX_BYTES = 8 << 20

Field = tuple[str | int, ...]


class ManifestError(ValueError):
    """A manifest that cannot be read: `line` counts from 1, `field` is empty where the file itself is broken."""

    def __init__(self, message: str, line: int = 1, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.field = field


@dataclass(frozen=True)
class Document:
    """One object of a manifest."""

    body: dict[str, Any]
    node: yaml.MappingNode

    @property
    def line(self) -> int:
        """Where the object starts, from 1."""
        return int(self.node.start_mark.line) + 1

    def line_of(self, field: str) -> int:
        """The line of a field path such as `spec.split[0].percent`, or of the nearest parent that is there."""
        node: yaml.Node = self.node
        line = self.line
        for step in parse_field(field):
            found = _child(node, step)
            if found is None:
                break
            key, node = found
            line = int(key.start_mark.line) + 1
        return line


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own form

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ManifestError("a key must be text", key.start_mark.line + 1)
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise ManifestError(f"key {_shown(key.value)} stands twice", key.start_mark.line + 1)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _resolver(tag: str, pattern: str, first: str) -> None:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))


_resolver("bool", r"^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$", "yYnNtTfFoO")
_resolver("int", r"^[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)$", "-+0123456789")
_resolver(
    "float",
    r"^[-+]?(?:(?:[0-9][0-9_]*)?\.[0-9_]+(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*\.?(?:[eE][-+]?[0-9]+)|[0-9][0-9_]*\.|\.(?:inf|Inf|INF))$|^\.(?:nan|NaN|NAN)$",
    "-+.0123456789",
)
_resolver("null", r"^(?:~|null|Null|NULL|)$", "~nN\0")
_resolver("null", r"^$", "")
_resolver("merge", r"^<<$", "<")
_Loader.yaml_implicit_resolvers.setdefault("", []).append(("tag:yaml.org,2002:null", re.compile(r"^$")))


def read_documents(text: str) -> list[Document]:
    """Every object in a manifest, empty documents skipped, a `List` by its items. Raises ManifestError with the
    line.
    """
    documents: list[Document] = []
    try:
        loader = _Loader(text)
        while loader.check_node():
            node = loader.get_node()
            if node is not None:
                documents.extend(_objects(loader, node))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ManifestError(f"not YAML: {error.problem or error.context}", (mark.line if mark else 0) + 1) from error
    except yaml.reader.ReaderError as error:
        raise ManifestError("not YAML: a character that YAML does not allow") from error
    except RecursionError as error:
        raise ManifestError("not YAML: nested too deep") from error
    except ValueError as error:
        if isinstance(error, ManifestError):
            raise
        raise ManifestError("not YAML: a scalar that cannot be read") from error
    return documents


def _objects(loader: _Loader, node: yaml.Node) -> Iterator[Document]:
    if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null"):
        return
    if not isinstance(node, yaml.MappingNode):
        raise ManifestError("an object with apiVersion, kind and metadata is needed", node.start_mark.line + 1)
    # through JSON: nothing is shared between two places, nothing circular or not a number gets in
    body = json.loads(json.dumps(loader.construct_document(node), allow_nan=False))
    items = _child(node, "items")
    if body.get("kind") == "List" and items and isinstance(items[1], yaml.SequenceNode):
        for item, value in zip(items[1].value, body["items"], strict=True):
            if not isinstance(item, yaml.MappingNode):
                raise ManifestError("an item of a List is an object", item.start_mark.line + 1)
            yield Document(value, item)
        return
    yield Document(body, node)


def parse_field(field: str) -> Field:
    """`spec.split[0].percent` as ("spec", "split", 0, "percent")."""
    parts: list[str | int] = []
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", field):
        parts.append(int(index) if index else name)
    return tuple(parts)


def _child(node: yaml.Node, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """The node that names the child, and the child."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                return key, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None


def _shown(value: object) -> str:
    text = str(value)
    return f'"{text[:60]}"'


def set_field(path: Path, kind: str, name: str, field: tuple[str, ...], value: str | bool) -> None:
    """Changes one scalar of one object in a manifest file; every other byte stays as it was.

    Raises ManifestError where the object or a place for the field is not found, OSError where it cannot be written.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path.name} is not UTF-8") from error
    documents = read_documents(text)
    for document in documents:
        if document.body.get("kind") == kind and document.body.get("metadata", {}).get("name") == name:
            changed = _with_field(text, document.node, field, value)
            break
    else:
        raise ManifestError(f"{path.name} has no {kind} {name}")
    parent = document.body
    for step in field[:-1]:
        parent = parent[step]
    parent[field[-1]] = value
    # anchors, aliases and merges can make one place stand for several: then the file is for a person to edit
    if _bodies(changed) != [d.body for d in documents]:
        where = ".".join(field)
        raise ManifestError(f"{path.name}: {where} cannot be changed alone; edit the file by hand", document.line)
    if changed != text:
        write_atomically(path, changed.encode("utf-8"), path.stat().st_mode & 0o7777)


def _bodies(text: str) -> list[dict[str, Any]] | None:
    try:
        return [document.body for document in read_documents(text)]
    except ManifestError:
        return None


def _with_field(text: str, node: yaml.Node, field: tuple[str, ...], value: str | bool) -> str:
    for step in field[:-1]:
        found = _child(node, step)
        if found is None:
            raise ManifestError(f"{step} is not there to be changed", node.start_mark.line + 1)
        node = found[1]
    if not isinstance(node, yaml.MappingNode) or not node.value:
        raise ManifestError(f"{field[-2]} is not a mapping with fields", node.start_mark.line + 1)
    shown = ("true" if value else "false") if isinstance(value, bool) else value
    found = _child(node, field[-1])
    if found is not None:
        return _replaced(text, found[1], shown, quoted=isinstance(value, str))
    return _inserted(text, node, field[-1], shown)


def _replaced(text: str, scalar: yaml.Node, value: str, *, quoted: bool) -> str:
    if not isinstance(scalar, yaml.ScalarNode) or scalar.style in ("|", ">"):
        raise ManifestError("is not a plain value", scalar.start_mark.line + 1)
    start, end = scalar.start_mark.index, scalar.end_mark.index
    if start == end:  # an empty value: `version:`
        return f"{text[:start]} {_plain(value, quoted=quoted)}{text[start:]}"
    quote = scalar.style if quoted and scalar.style in ("'", '"') else ""
    return text[:start] + (f"{quote}{value}{quote}" if quote else _plain(value, quoted=quoted)) + text[end:]


def _plain(value: str, *, quoted: bool) -> str:
    """A text that YAML would read as something else (`1.5`, `on`) is quoted."""
    if not quoted:
        return value
    loader = _Loader("")
    tag: str = loader.resolve(yaml.ScalarNode, value, (True, False))  # type: ignore[no-untyped-call]
    loader.dispose()
    return value if tag.endswith(":str") else f'"{value}"'


def _inserted(text: str, node: yaml.MappingNode, key: str, value: str) -> str:
    first = node.value[0][0]
    start = first.start_mark.index
    if node.flow_style:
        mark = '"' if text[start] == '"' else ""
        return f"{text[:start]}{mark}{key}{mark}: {value}, {text[start:]}"
    newline = "\r\n" if "\r\n" in text else "\n"
    return f"{text[:start]}{key}: {value}{newline}{' ' * first.start_mark.column}{text[start:]}"
