"""Objects that several tests judge: accepted ones that reach every rule, and the manifests that must be refused."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from linplane_api.manifests.manifest import read_documents
from linplane_api.manifests.validation import Rule
from unit.api.crd_walk import ROOT

INVALID = sorted((ROOT / "manifests" / "invalid").glob("*.yaml"))
Object = dict[str, Any]


@dataclass(frozen=True)
class Refusal:
    """A manifest in manifests/invalid: what its first line expects, the object, the accepted one before it."""

    field: str
    message: str
    new: Object
    old: Object | None

    def is_told(self, message: str) -> bool:
        """Whether a message of local mode or the command line says it, in better words if it is text without quotes."""
        return self.message in message or ("must be of type" in self.message and 'in YAML: write "' in message)


def is_said_by(rule: Rule, message: str) -> bool:
    """Whether a message is a rule's: the fixed one, or one of its expression, which ends alike."""
    ending = re.split("[:(]", rule.message, maxsplit=1)[-1]
    return message == rule.message or (bool(rule.message_expression) and message.endswith(ending))


def refusal(path: Path) -> Refusal:
    """Reads one of INVALID."""
    first, _, rest = path.read_text().partition("\n")
    field, _, message = first.removeprefix("# expect: ").partition(": ")
    *before, new = (document.body for document in read_documents(rest))
    return Refusal(field, message, new, before[0] if before else None)


def accepted() -> dict[str, tuple[Object, Object | None]]:
    """Objects that must be taken, each with the one that it changes, if any."""
    file = Path(__file__).with_name("accepted.yaml")
    result = {}
    for name, bodies in yaml.safe_load(file.read_text(encoding="utf-8")).items():
        *before, new = ({"apiVersion": "linplane.dev/v1alpha1", **body} for body in bodies)
        result[name] = (new, before[0] if before else None)
    return result
