"""YAML as kubectl reads it: text to nodes with their places, and nodes to values of JSON.

Scalars resolve as they do for kubectl (YAML 1.1 words for booleans, of which y and n are two, no dates, no base-60
numbers, `1e-6` is a float).
A duplicate key in a mapping is an error, and so is any value that JSON does not have.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

MAX_VALUES = 1_000_000  # of one document with its aliases expanded: nine lines can expand to billions


class ManifestError(ValueError):
    """A manifest that cannot be read: `line` counts from 1, `field` is empty if the file itself is malformed."""

    def __init__(self, message: str, line: int = 1, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.field = field


def line_of_node(node: yaml.Node) -> int:
    """The node's first line, from 1."""
    return int(node.start_mark.line) + 1


_TRUE = {"y", "yes", "true", "on"}
_FALSE = {"n", "no", "false", "off"}


class Loader(yaml.SafeLoader):
    """PyYAML's loader with the rules of kubectl."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own form

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuses a duplicate key."""
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ManifestError("a key must be text", line_of_node(key))
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise ManifestError(f"duplicate key {json.dumps(key.value[:60])}", line_of_node(key))
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_bool(self, node: yaml.ScalarNode) -> bool:
        """YAML 1.1 has more words than PyYAML, which lacks y and n. A tag may be given to any text."""
        word = str(node.value).lower()
        if word not in _TRUE | _FALSE:
            raise ManifestError(f"{node.value[:60]!r} is not a boolean", line_of_node(node))
        return word in _TRUE

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        """Refuses numbers that JSON does not have."""
        integer = node.tag.endswith(":int")
        try:
            value = self.construct_yaml_int(node) if integer else self.construct_yaml_float(node)
            finite = len(str(value)) > 0 if integer else math.isfinite(value)
        except ValueError:
            finite = False
        if not finite:
            raise ManifestError("a number that is not finite, or not readable", line_of_node(node))
        return value

    def refuse_tag(self, node: yaml.Node) -> Any:
        """Refuses sets, dates and bytes, which JSON does not have."""
        raise ManifestError(f"{node.tag.removeprefix('tag:yaml.org,2002:')} is not a type of JSON", line_of_node(node))


# `<<` merges as a key alone, and is text as a value
Loader.add_constructor("tag:yaml.org,2002:merge", Loader.construct_scalar)  # type: ignore[type-var]
Loader.add_constructor("tag:yaml.org,2002:bool", Loader.construct_bool)
for _tag in ("int", "float"):
    Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", Loader.construct_number)
for _tag in ("binary", "timestamp", "set", "omap", "pairs"):
    Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", Loader.refuse_tag)


def _resolver(tag: str, pattern: str, first: str) -> None:
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))


_resolver(
    "bool", r"^(?:[yYnN]|yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$", "yYnNtTfFoO"
)
_resolver("int", r"^[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)$", "-+0123456789")
_resolver(
    "float",
    r"^[-+]?(?:(?:[0-9][0-9_]*)?\.[0-9_]+(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*\.?(?:[eE][-+]?[0-9]+)|[0-9][0-9_]*\.|0[0-9_]*[89][0-9_]*|\.(?:inf|Inf|INF))$|^\.(?:nan|NaN|NAN)$",
    "-+.0123456789",
)
_resolver("null", r"^(?:~|null|Null|NULL|)$", "~nN\0")
_resolver("null", r"^$", "")
_resolver("merge", r"^<<$", "<")
Loader.yaml_implicit_resolvers.setdefault("", []).append(("tag:yaml.org,2002:null", re.compile(r"^$")))


def read_nodes(text: str) -> Iterator[tuple[yaml.Node, Any]]:
    """Each document as its node and its value of JSON. Raises ManifestError."""
    try:
        loader = Loader(text)
        while loader.check_node():
            node = loader.get_node()
            if node is not None:
                _check_size(node)
                # through JSON, so that no two places share an object
                text = json.dumps(loader.construct_document(node), allow_nan=False, ensure_ascii=False)
                yield node, json.loads(text.encode())  # bytes: half of a surrogate pair is no text
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ManifestError(f"not YAML: {error.problem or error.context}", (mark.line if mark else 0) + 1) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ManifestError("not YAML: a character that YAML does not allow", line) from error
    except RecursionError as error:
        raise ManifestError("not YAML: nested too deep") from error
    except (ValueError, TypeError) as error:
        if isinstance(error, ManifestError):
            raise
        raise ManifestError("not YAML: a value that JSON does not have") from error


def _check_size(root: yaml.Node) -> None:
    sizes: dict[int, int] = {}

    def size(node: yaml.Node) -> int:
        known = sizes.get(id(node))
        if known is not None:
            if known < 0:
                raise ManifestError("an alias that contains itself", line_of_node(node))
            return known
        sizes[id(node)] = -1
        children = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
        total = 1 + (0 if isinstance(node, yaml.ScalarNode) else sum(map(size, children)))
        if total > MAX_VALUES:
            raise ManifestError(f"more than {MAX_VALUES} values, with aliases expanded", line_of_node(node))
        sizes[id(node)] = total
        return total

    size(root)


def without_item(text: str, key: yaml.Node, items: yaml.SequenceNode, index: int) -> str:
    """A text without one item of a list; `key` names the list, and an item of a block style goes with its lines."""
    item = items.value[index]
    if items.flow_style:
        start, end = item.start_mark.index, item.end_mark.index
        if len(items.value) == 1:
            start, end = items.start_mark.index + 1, items.end_mark.index - 1
        elif index + 1 < len(items.value):
            end = items.value[index + 1].start_mark.index
        else:
            start = items.value[index - 1].end_mark.index
        return text[:start] + text[end:]
    dash = text.rfind("-", 0, item.start_mark.index)
    start = text.rfind("\n", 0, dash) + 1
    end = text.find("\n", _end(item)) + 1 or len(text)
    rest = text[:start] + text[end:]
    if len(items.value) > 1:
        return rest
    colon = rest.index(":", key.end_mark.index) + 1
    return f"{rest[:colon]} []{rest[colon:]}"


def without_key(text: str, key: yaml.Node, value: yaml.CollectionNode) -> str | None:
    """A text without the lines of a key and its value; None if those lines hold anything else, such as a comment."""
    start = text.rfind("\n", 0, key.start_mark.index) + 1
    end = text.find("\n", _end(value)) + 1 or len(text)
    around = text[start : key.start_mark.index] + text[_end(value) : end]
    return None if around.strip() or "#" in text[start:end] else text[:start] + text[end:]


def _end(node: yaml.Node) -> int:
    """The end of a node's last scalar; a mark of a block style is past the comments after it."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(node, yaml.MappingNode) else last
    return int(node.end_mark.index)


def kind_of_scalar(node: yaml.Node) -> str:
    """`a boolean` or `a number` for an unquoted scalar that YAML reads as one; empty for anything else."""
    if not isinstance(node, yaml.ScalarNode) or node.style is not None:
        return ""
    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    return {"bool": "a boolean", "int": "a number", "float": "a number"}.get(kind, "")


def is_plain_text(value: str) -> bool:
    """True if YAML reads these characters, without quotes, as text."""
    loader = Loader("")
    tag: str = loader.resolve(yaml.ScalarNode, value, (True, False))  # type: ignore[no-untyped-call]
    loader.dispose()
    return tag.endswith(":str")
