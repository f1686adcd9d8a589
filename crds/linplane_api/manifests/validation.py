"""The CRDs' own schemas and rules, run outside Kubernetes: the YAML next to this package is the one source of both.

Without an API server (local mode, `linplane validate`), `Schemas.validate` refuses the same objects with the same
messages. The structural half is in `schema`; here are the rules (CEL, from the YAML) and the columns of `kubectl get`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from ..kinds import OURS
from ..names import VERSION
from .schema import Problem, Schema, Structure, join, with_metadata

__all__ = ["Column", "Problem", "Rule", "Schemas", "column_value", "load_schemas"]

Step = str | int
_MISSING = object()


@dataclass(frozen=True)
class Column:
    """One column of `kubectl get`. `type` is string, integer, number, boolean or date; `wide`: of `-o wide` only."""

    name: str
    json_path: str
    type: str
    wide: bool = False


class Rule:
    """One `x-kubernetes-validations` entry, compiled at its first use."""

    def __init__(self, place: tuple[str | None, ...], entry: Mapping[str, str]) -> None:
        """`place` is the path of the rule's `self`, with None for every item; `entry` is as in the YAML."""
        self.place = place
        self.text = entry["rule"]
        self.message = entry["message"]
        self.message_expression = entry.get("messageExpression", "")
        self.field_path = tuple(entry.get("fieldPath", "").split(".")[1:])
        self.is_transition = re.search(r"\boldSelf\b", self.text) is not None

    @cached_property
    def _program(self) -> Any:
        return _compile(self.text)

    @cached_property
    def _message_program(self) -> Any:
        return _compile(self.message_expression)

    def problems(self, new: Any, old: Any) -> Iterator[Problem]:
        """The places that violate the rule. A transition rule applies only if there is a value before and after."""
        for path, value in _values(new, self.place):
            before = _at(old, path) if self.is_transition else _MISSING
            if self.is_transition and before is _MISSING:
                continue
            message = self._verdict(value, before)
            if message:
                yield Problem(join((*path, *self.field_path)), message)

    def _verdict(self, value: Any, before: Any) -> str | None:
        variables = {"self": value} if before is _MISSING else {"self": value, "oldSelf": before}
        try:
            holds = self._program.execute(variables)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # the library's panics derive from it
            return f"{self.message} (the rule could not be evaluated: {type(error).__name__})"
        return None if holds is True else self._message(variables)

    def _message(self, variables: Mapping[str, Any]) -> str:
        """The message; as in an API server, the fixed one if the expression does not return one line of text."""
        if not self.message_expression:
            return self.message
        try:
            text = self._message_program.execute(variables)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:  # as above
            return self.message
        return text if isinstance(text, str) and text.strip() and "\n" not in text else self.message


def _compile(expression: str) -> Any:
    from cel import compile as compile_cel  # noqa: PLC0415 - slow to import, and of no use to print columns

    return compile_cel(expression)


class _Definition:
    """One CRD."""

    def __init__(self, crd: Mapping[str, Any]) -> None:
        version = next(v for v in crd["spec"]["versions"] if v["name"] == VERSION)
        schema = version["schema"]["openAPIV3Schema"]
        self.schema: Schema = schema
        self.rules = [Rule(place, entry) for place, entry in _entries(schema, ())]
        self.columns = [
            Column(c["name"], c["jsonPath"], c["type"], bool(c.get("priority")))
            for c in version.get("additionalPrinterColumns", ())
        ]

    @cached_property
    def structure(self) -> Structure:
        return Structure(with_metadata(self.schema))


class Schemas:
    """The four kinds. Made once, by `load_schemas`; compiled at first use; safe to share between threads."""

    def __init__(self, crds: Sequence[Mapping[str, Any]]) -> None:
        """`crds` are CustomResourceDefinitions, as objects."""
        self._definitions = {
            (f"{crd['spec']['group']}/{VERSION}", crd["spec"]["names"]["kind"]): _Definition(crd) for crd in crds
        }

    def validate(self, new: Mapping[str, Any], old: Mapping[str, Any] | None = None) -> list[Problem]:
        """The problems for which an API server would refuse `new`, or a change from `old` to it; empty if it is valid.

        Defaults are filled in before, as by an API server. Rules run only if the structure is valid. Never raises.
        """
        definition = self._find(new)
        if isinstance(definition, Problem):
            return [definition]
        try:
            complete = definition.structure.completed(new)
            found = definition.structure.problems(complete)
            if found:
                return found
            before = definition.structure.completed(old) if old is not None else _MISSING
            return list(dict.fromkeys(p for rule in definition.rules for p in rule.problems(complete, before)))
        except RecursionError:
            return [Problem("", "nested too deep")]

    def with_defaults(self, obj: Mapping[str, Any]) -> dict[str, Any]:
        """A copy as an API server stores it. Of a kind that is not ours: as it is."""
        definition = self._find(obj)
        if isinstance(definition, Problem):
            return dict(obj)
        complete: dict[str, Any] = definition.structure.completed(obj)
        return complete

    def columns(self, kind: str) -> list[Column]:
        """The columns after NAME. Raises KeyError for a kind that is not ours."""
        return list(self._of_kind(kind).columns)

    def rules(self, kind: str) -> list[Rule]:
        """The rules, in the order of the YAML. Raises KeyError for a kind that is not ours."""
        return list(self._of_kind(kind).rules)

    def schema(self, kind: str) -> Schema:
        """The `openAPIV3Schema`. Raises KeyError for a kind that is not ours."""
        return self._of_kind(kind).schema

    def _of_kind(self, kind: str) -> _Definition:
        return next((d for (_, name), d in self._definitions.items() if name == kind), None) or _unknown(kind)

    def _find(self, obj: Any) -> "_Definition | Problem":
        if not isinstance(obj, Mapping):
            return Problem("", "an object with apiVersion, kind and metadata is needed")
        for name in ("apiVersion", "kind"):
            if not isinstance(obj.get(name), str):
                return Problem(name, "Required value")
        definition = self._definitions.get((obj["apiVersion"], obj["kind"]))
        return definition or Problem("kind", f'no matches for kind "{obj["kind"]}" in version "{obj["apiVersion"]}"')


def _unknown(kind: str) -> _Definition:
    raise KeyError(kind)


@cache
def load_schemas() -> Schemas:
    """The CRDs of this package, read once. Needs the packages of the `operator` extra."""
    import yaml  # noqa: PLC0415 - only needed for validation

    here = Path(__file__).parents[1]
    folder = here / "crds" if (here / "crds").is_dir() else here.parent
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, if PyYAML has it
    texts = [(folder / f"{kind.plural}.yaml").read_text("utf-8") for kind in OURS]
    return Schemas([yaml.load(text, loader) for text in texts])  # noqa: S506 - both are the safe ones


def _entries(
    schema: Schema, place: tuple[str | None, ...]
) -> Iterator[tuple[tuple[str | None, ...], Mapping[str, str]]]:
    for entry in schema.get("x-kubernetes-validations", ()):
        yield place, entry
    for name, child in schema.get("properties", {}).items():
        yield from _entries(child, (*place, name))
    for inner in ("items", "additionalProperties"):
        if inner in schema:
            yield from _entries(schema[inner], (*place, None))


def _values(
    value: Any, place: Sequence[str | None], path: tuple[Step, ...] = ()
) -> Iterator[tuple[tuple[Step, ...], Any]]:
    """Every value at a place, with its path."""
    if not place:
        yield path, value
        return
    step, *rest = place
    if step is not None:
        children: Iterator[tuple[Step, Any]] = iter([(step, value[step])] if step in value else [])
    else:
        children = enumerate(value) if isinstance(value, list) else iter(value.items())
    for name, child in children:
        yield from _values(child, rest, (*path, name))


def _at(value: Any, path: Sequence[Step]) -> Any:
    """The value at a path, or _MISSING; an item of a list has no value before it."""
    for step in path:
        if not isinstance(value, dict) or step not in value:
            return _MISSING
        value = value[step]
    return value


_PATH_STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\[\?\(@\.([A-Za-z0-9_]+)==['\"]([^'\"]*)['\"]\)\]|\[(\d+)\]")


def column_value(obj: Mapping[str, Any], json_path: str) -> Any:
    """The value at a column's path, None if there is none.

    Fields, indices and filters by equality are supported; raises ValueError for any other path.
    """
    value: Any = obj
    position = 0
    while position < len(json_path):
        step = _PATH_STEP.match(json_path, position)
        if step is None:
            raise ValueError(f"unsupported path: {json_path}")
        value = _step(value, step)
        position = step.end()
    return value


def _step(value: Any, step: re.Match[str]) -> Any:
    name, key, wanted, index = step.groups()
    if name:
        return value.get(name) if isinstance(value, Mapping) else None
    if not isinstance(value, list | tuple):
        return None
    if index:
        return value[int(index)] if int(index) < len(value) else None
    return next((item for item in value if isinstance(item, Mapping) and item.get(key) == wanted), None)
