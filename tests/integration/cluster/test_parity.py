"""`linplane validate`, local mode and an API server agree on every manifest."""

import copy
import json
import random
from pathlib import Path
from typing import Any

from cluster.client import ApiError, Client
from cluster.controlplane import ControlPlane
from linplane_api.manifests.manifest import read_documents
from linplane_api.manifests.validation import load_schemas
from unit.api.objects import INVALID, accepted, refusal

SCALARS = [
    *("y", "Y", "n", "N", "yes", "Yes", "no", "NO", "on", "Off", "true", "False", "yy", "nO", "tRue"),
    *(
        "1",
        "010",
        "0o10",
        "0x1F",
        "1_000",
        "1e3",
        "1.",
        ".5",
        "7.0",
        "-3",
        "+1",
        "1e-6",
        "12:30",
        "1.2.3",
        "2020-01-01",
    ),
    *(
        "~",
        "null",
        "Null",
        "nil",
        ".inf",
        "-.inf",
        ".nan",
        "=",
        "'y'",
        '"1"',
        "v1",
        "a b",
        "2e",
        "0b1",
        "0b2",
        "08",
        "1e400",
    ),
]
MODEL = """\
apiVersion: linplane.dev/v1alpha1
kind: LinearModel
metadata: {{name: iris-s{number}}}
spec:
  model: iris
  version: s{number}
  training: {{data: {{configMapKeyRef: {{name: iris, key: d.csv}}}}, target: {text}}}
"""
LEAVES: list[Any] = [
    None,
    True,
    7,
    7.0,
    1e3,
    0.5,
    -1,
    10**10,
    "",
    "y",
    "iris",
    "a" * 300,
    [],
    {},
    ["a"],
    {"a": 1},
    [{}],
]
SAMPLES = 150


def is_taken_locally(text: str) -> bool:
    """True if `linplane validate` and local mode accept it."""
    try:
        documents = read_documents(text)
    except ValueError:
        return False
    return bool(documents) and not any(load_schemas().validate(document.body) for document in documents)


def test_scalars_are_read_as_by_kubectl(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> None:
    differing = []
    taken = {text: MODEL.format(number=number, text=text) for number, text in enumerate(SCALARS)}
    readable = {text: manifest for text, manifest in taken.items() if text not in (".inf", "-.inf", ".nan", "1e400")}
    (tmp_path / "all.yaml").write_text("---\n".join(readable.values()))
    answer = control_plane.kubectl("create", "--dry-run=server", "-n", namespace, "-f", str(tmp_path), check=False)
    for number, text in enumerate(SCALARS):
        there = f"linearmodel.linplane.dev/iris-s{number} created" in answer.stdout
        if there != is_taken_locally(taken[text]):
            differing.append((text, there))
    assert differing == [], answer.stderr


def mutated(dice: random.Random, objects: list[dict[str, Any]]) -> dict[str, Any]:
    """An object with one value replaced, or one more field."""
    body = copy.deepcopy(dice.choice(objects))
    part: Any = body["report"] if "report" in body else body.setdefault("spec", {})
    while True:
        key = dice.choice([*part, "new"]) if isinstance(part, dict) else dice.randrange(len(part))
        inner = part.get(key) if isinstance(part, dict) else part[key]
        if not inner or not isinstance(inner, dict | list) or dice.random() < 0.2:
            leaves = [leaf for leaf in LEAVES if not isinstance(leaf, list)] if isinstance(part, list) else LEAVES
            part[key] = dice.choice(leaves)  # an API server accepts a list as an item of a list of strings
            return body
        part = inner


def test_mutated_objects_are_accepted_or_refused_alike(admin: Client, namespace: str) -> None:
    dice = random.Random(11)
    objects = [new for new, old in accepted().values() if old is None]
    objects += [refusal(path).old or refusal(path).new for path in INVALID]
    differing = []
    for _ in range(SAMPLES):
        body = mutated(dice, objects)
        try:
            admin.create(body, namespace, dryRun="All")
            refused = ""
        except ApiError as error:
            refused = error.message
        problems = load_schemas().validate(json.loads(json.dumps(body)))
        if bool(refused) != bool(problems):
            differing.append((body, refused, list(map(str, problems))))
    assert differing == [], json.dumps(differing)
