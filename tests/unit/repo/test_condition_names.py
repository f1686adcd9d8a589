"""Condition types and reasons are members of the enums of `linplane_api.conditions`, and bare strings nowhere."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from linplane_api.conditions import ConditionType, Reason

ROOT = Path(__file__).parents[3]
FOLDERS = ("crds", "client", "operator", "server", "trainer")

NAMES = {*map(str, ConditionType), *map(str, Reason)}
OTHERS = {
    # Kubernetes' own words for containers, pods, Jobs and Deployments
    "operator/linplane_operator/compile/job_progress.py": {
        "DeadlineExceeded",
        "Evicted",
        "OOMKilled",
        "Pending",
        "Unschedulable",
    },
    "operator/linplane_operator/compile/acknowledgements.py": {"Pending"},
    "operator/linplane_operator/compile/rollout.py": {"ProgressDeadlineExceeded"},
    "operator/linplane_operator/local/job_runner.py": {"DeadlineExceeded"},
    "operator/linplane_operator/local/server_process.py": {"Ready"},
    "trainer/linplane_trainer/__main__.py": {"BadData", "TrainingFailed"},  # `task.Failure.reason`, a Literal
    "trainer/linplane_trainer/fit/fitting.py": {"Training"},  # the rows that residuals are of, a Literal
    "trainer/linplane_trainer/fit/result.py": {"Training"},  # the data that a model was evaluated on, a Literal
    "trainer/linplane_trainer/fit/wide/result.py": {"Training"},  # the same
}
"""Strings that equal the name of a condition or a reason, and have another meaning in these files."""


def bare(node: ast.AST) -> Iterator[str]:
    """Strings that are one of these names. Enums define them, a Literal is checked by mypy, and an f-string is a text
    for people.
    """
    if isinstance(node, ast.ClassDef) and any(ast.unparse(base).endswith("Enum") for base in node.bases):
        return
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal":
        return
    if isinstance(node, ast.JoinedStr):
        children: list[ast.AST] = [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
    else:
        children = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in NAMES:
        yield node.value
    for child in children:
        yield from bare(child)


def test_condition_types_and_reasons_are_never_bare_strings() -> None:
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    assert len(paths) > 170
    found = {str(path.relative_to(ROOT)): set(bare(ast.parse(path.read_text("utf-8")))) for path in paths}
    assert {path: words for path, words in found.items() if words} == OTHERS


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ('found = conditions["Ready"]', ["Ready"]),
        ('raise Conflict("VersionFrozen", f"{name} is frozen")', ["VersionFrozen"]),
        ("text = f\"{found.get('Ready')}\"", ["Ready"]),
        ('match kind:\n    case "Accepted" | "Servable": pass', ["Accepted", "Servable"]),
        ('text = f"{name}: Ready" + "not Ready"', []),
        ('text = f"{name}Ready"', []),
        ('class Kind(StrEnum):\n    READY = "Ready"', []),
        ('class Kind:\n    ready = "Ready"', ["Ready"]),
        ('reason: Literal["Frozen", "Rejected"]', []),
    ],
)
def test_bare_strings_are_recognized(source: str, words: list[str]) -> None:
    assert list(bare(ast.parse(source))) == words
