"""Manifests: YAML files as `kubectl apply` reads them, with the line of every field, and fields changed in place."""

import contextlib
import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..display import display_name
from ..files import write_atomically
from .yaml_text import (
    ManifestError,
    is_plain_text,
    kind_of_scalar,
    line_of_node,
    read_nodes,
    without_item,
    without_key,
)

__all__ = [
    "MAX_BYTES", "SUFFIXES", "Document", "Edit", "Field", "ManifestError", "RemoveItem", "SetField", "edit_object",
    "parse_field", "read_documents",
]  # fmt: skip

SUFFIXES = (".yaml", ".yml", ".json")
MAX_BYTES = 8 << 20

Field = tuple[str | int, ...]

_WANTS_TEXT = re.compile(r"must be of type (?:integer,)?string:|^text is needed")


@dataclass(frozen=True)
class Document:
    """One object of a manifest."""

    body: dict[str, Any]
    node: yaml.MappingNode

    @property
    def line(self) -> int:
        """The object's first line, from 1."""
        return line_of_node(self.node)

    @property
    def key(self) -> tuple[str, str]:
        """Kind and name as they are written, valid or not."""
        metadata = self.body.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        return str(self.body.get("kind")), str(name)

    def line_of(self, field: str) -> int:
        """The line of a field path such as `spec.split[0].percent`, or of the nearest parent that is there."""
        return line_of_node(self._find(field)[0])

    def message_for(self, field: str, message: str) -> str:
        """The message, or a better one if the field is text that lacks its quotes."""
        node = self._find(field)[1]
        kind = kind_of_scalar(node) if node is not None else ""
        if node is None or not kind or not _WANTS_TEXT.search(message):
            return message
        text = display_name(str(node.value))
        return f'{text} is {kind} in YAML: write "{text}"'

    def _find(self, field: str) -> tuple[yaml.Node, yaml.Node | None]:
        """The key of a field, or of the nearest parent that is there, and the field's value."""
        key: yaml.Node = self.node
        node: yaml.Node = self.node
        for step in parse_field(field):
            found = _child(node, step)
            if found is None:
                return key, None
            key, node = found
        return key, node


def read_documents(text: str) -> list[Document]:
    """Every object in a manifest, empty documents skipped, a `List` by its items. Raises ManifestError with the
    line.
    """
    return [document for node, body in read_nodes(text) for document in _objects(node, body)]


def _objects(node: yaml.Node, body: Any) -> Iterator[Document]:
    if body is None:
        return
    if not isinstance(node, yaml.MappingNode):
        raise ManifestError("an object with apiVersion, kind and metadata is needed", line_of_node(node))
    items = _child(node, "items")
    if body.get("kind") == "List" and items and isinstance(items[1], yaml.SequenceNode):
        for item, value in zip(items[1].value, body["items"], strict=True):
            if not isinstance(item, yaml.MappingNode):
                raise ManifestError("an item of a List is an object", line_of_node(item))
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


@dataclass(frozen=True)
class SetField:
    """Sets a scalar; inserts it if it is missing."""

    field: tuple[str, ...]
    value: str | bool

    def apply(self, text: str, document: Document) -> str:
        """Returns the changed text, and changes the document's body alike. Raises ManifestError."""
        changed = _with_field(text, document.node, self.field, self.value)
        _parent(document.body, self.field)[self.field[-1]] = self.value
        return changed


@dataclass(frozen=True)
class RemoveItem:
    """Removes the item of a list of mappings whose `key` is `value`; changes nothing if there is none.

    A list that becomes empty is removed with its key, or left as `[]` if a comment or another key shares its lines.
    """

    field: tuple[str, ...]
    key: str
    value: str

    def apply(self, text: str, document: Document) -> str:
        """As `SetField.apply`."""
        parent = _parent(document.body, self.field)
        items = parent.get(self.field[-1])
        if not isinstance(items, list):
            return text
        found = (i for i, item in enumerate(items) if isinstance(item, dict) and item.get(self.key) == self.value)
        index = next(found, None)
        if index is None:
            return text
        del items[index]
        key, node = _walk(document.node, self.field)
        assert isinstance(node, yaml.SequenceNode), "its value is a list"
        mapping = _walk(document.node, self.field[:-1])[1]
        assert isinstance(mapping, yaml.MappingNode), "it has the field"
        if not items and len(parent) > 1 and not mapping.flow_style:
            changed = without_key(text, key, node)
            if changed is not None:
                del parent[self.field[-1]]
                return changed
        return without_item(text, key, node, index)


Edit = SetField | RemoveItem


def edit_object(path: Path, kind: str, name: str, *edits: Edit) -> Callable[[], None]:
    """Changes one object in a manifest file by one write; every other byte stays as it was.

    Returns a function that undoes the change, unless the file has changed since. A symbolic link is followed. Raises
    ManifestError if the object or a place for a field is not found, OSError if the file or its folder is read-only.
    """
    path = path.resolve()
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path.name} is not UTF-8") from error
    changed = text
    for edit in edits:
        documents = read_documents(changed)
        document = next((found for found in documents if found.key == (kind, name)), None)
        if document is None:
            raise ManifestError(f"{path.name} has no {kind} {name}")
        changed = edit.apply(changed, document)
        # with anchors, aliases and merges one place may define several: such a file is left to a person
        if _bodies(changed) != [d.body for d in documents]:
            where = ".".join(edit.field)
            raise ManifestError(f"{path.name}: {where} cannot be changed alone; edit the file by hand", document.line)
    if changed != text:
        _write(path, changed.encode("utf-8"))

    def undo() -> None:
        if changed != text and path.read_bytes() == changed.encode("utf-8"):
            _write(path, text.encode("utf-8"))

    return undo


def _parent(body: dict[str, Any], field: tuple[str, ...]) -> dict[str, Any]:
    for step in field[:-1]:
        value = body.get(step)
        body = value if isinstance(value, dict) else {}
    return body


def _bodies(text: str) -> list[dict[str, Any]] | None:
    try:
        return [document.body for document in read_documents(text)]
    except ManifestError:
        return None


def _write(path: Path, data: bytes) -> None:
    """Replaces the file in one step and keeps its owner and mode; removes temporary files that a crash left."""
    before = path.stat()
    for place, mode in ((path, before.st_mode), (path.parent, path.parent.stat().st_mode)):
        if not mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) or not os.access(place, os.W_OK):
            shown = "the folder is read-only" if place != path else "the file is read-only"
            raise PermissionError(errno.EACCES, shown, str(place))
    pattern = re.compile(re.escape(f".{path.name}.") + "[a-z0-9_]{8}")
    for left in path.parent.iterdir():
        if pattern.fullmatch(left.name):
            left.unlink(missing_ok=True)
    write_atomically(path, data, stat.S_IMODE(before.st_mode))
    if before.st_uid != os.geteuid() or before.st_gid != os.getegid():
        with contextlib.suppress(OSError):
            os.chown(path, before.st_uid, before.st_gid)


def _walk(node: yaml.Node, field: tuple[str, ...]) -> tuple[yaml.Node, yaml.Node]:
    """The node that names the field, and its value."""
    key = node
    for step in field:
        found = _child(node, step)
        if found is None:
            raise ManifestError(f"{step} does not exist, so it cannot be changed", line_of_node(node))
        key, node = found
    return key, node


def _with_field(text: str, node: yaml.Node, field: tuple[str, ...], value: str | bool) -> str:
    node = _walk(node, field[:-1])[1]
    if not isinstance(node, yaml.MappingNode) or not node.value:
        raise ManifestError(f"{field[-2]} is not a mapping with fields", line_of_node(node))
    shown = ("true" if value else "false") if isinstance(value, bool) else value
    found = _child(node, field[-1])
    if found is not None:
        return _replaced(text, found[1], shown, quoted=isinstance(value, str))
    return _inserted(text, node, field[-1], _plain(shown, quoted=isinstance(value, str)))


def _replaced(text: str, scalar: yaml.Node, value: str, *, quoted: bool) -> str:
    if not isinstance(scalar, yaml.ScalarNode) or scalar.style in ("|", ">"):
        raise ManifestError("is not a plain value", line_of_node(scalar))
    start, end = scalar.start_mark.index, scalar.end_mark.index
    if start == end:  # an empty value: `version:`
        return f"{text[:start]} {_plain(value, quoted=quoted)}{text[start:]}"
    quote = scalar.style if quoted and scalar.style in ("'", '"') else ""
    return text[:start] + (f"{quote}{value}{quote}" if quote else _plain(value, quoted=quoted)) + text[end:]


def _plain(value: str, *, quoted: bool) -> str:
    """The value, quoted if YAML would not read it as text (`1.5`, `on`)."""
    if not quoted:
        return value
    return value if is_plain_text(value) else f'"{value}"'


def _inserted(text: str, node: yaml.MappingNode, key: str, value: str) -> str:
    first = node.value[0][0]
    start = first.start_mark.index
    if node.flow_style:
        mark = '"' if text[start] == '"' else ""
        return f"{text[:start]}{mark}{key}{mark}: {value}, {text[start:]}"
    newline = "\r\n" if "\r\n" in text else "\n"
    return f"{text[:start]}{key}: {value}{newline}{' ' * first.start_mark.column}{text[start:]}"
