"""`linplane validate` reports problems of any manifest in lines, never with a traceback."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st

from linplane_cli.main import main
from unit.api.crd_walk import ROOT
from unit.api.objects import INVALID, accepted, refusal

TEXTS = [path.read_text() for path in (*INVALID, *sorted((ROOT / "manifests/examples").glob("*/*.yaml")))]
OBJECTS = [new for new, _ in accepted().values()] + [refusal(path).new for path in INVALID]
WEIGHTS = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "iris"},
    "data": {"model.json": '{"coefficients": {"a": 1}, "intercept": 0}'},
}
PIECES = [
    *("", "y", "~", "7.0", "1e3", "1e400", ".inf", "-", "[", "{}", ": ", "\n", "  ", "\t", "---\n", '"', "&a ", "*a"),
    *("!!set ", "<<: ", "\u2028", "\U0001f600", "2001-01-01", "0x1F", "?", "null", "#"),
]
LEAVES = st.sampled_from(
    [None, True, 7, 7.0, 1e3, 0.5, -1, 10**30, 1e300, "", "y", "a" * 300, "\n", "\x00", "🙂", "iris", "v1"]
)
VALUES = st.recursive(
    LEAVES,
    lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=4), some, max_size=3),
    max_leaves=5,
)


def check(folder: Path, name: str, text: str) -> list[dict[str, Any]]:
    """The output of validating a file."""
    (folder / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    (folder / "weights.yaml").write_text(json.dumps(WEIGHTS))
    for output in ("table", "json"):
        answer = CliRunner().invoke(main, ["validate", str(folder), "-o", output])
        assert answer.exception is None or isinstance(answer.exception, SystemExit), (text, answer.exception)
        assert answer.exit_code in (0, 1)
    found: list[dict[str, Any]] = json.loads(answer.stdout)
    assert (answer.exit_code == 1) == bool(found)
    assert all(f["line"] >= 1 and f["message"] for f in found)
    return found


@st.composite
def mutated_texts(draw: st.DrawFn) -> str:
    """A manifest with pieces replaced."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        text = text[:start] + draw(st.sampled_from(PIECES)) + text[start + draw(st.sampled_from([0, 1, 3, 20])) :]
    return text


@st.composite
def mutated_objects(draw: st.DrawFn) -> Any:
    """An object with one value replaced or added at a random place."""
    body = json.loads(json.dumps(draw(st.sampled_from(OBJECTS))))
    for _ in range(draw(st.integers(1, 3))):
        part = body
        while True:
            key = (
                draw(st.sampled_from([*part, "new"])) if isinstance(part, dict) else draw(st.integers(0, len(part) - 1))
            )
            inner = part.get(key) if isinstance(part, dict) else part[key]
            if not inner or not isinstance(inner, dict | list) or draw(st.integers(0, 3)) == 0:
                part[key] = draw(VALUES)
                break
            part = inner
    return body


@given(mutated_texts())
@settings(max_examples=100, deadline=None)
def test_validate_of_any_text_has_no_traceback(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    check(tmp_path_factory.mktemp("text"), "a.yaml", text)


@given(mutated_objects(), st.sampled_from(["a.yaml", "a.json"]))
@example({"apiVersion": "v1", "kind": "ConfigMap", "metadata": None, "data": [1]}, "a.json")
@example([], "a.json")
@settings(max_examples=150, deadline=None)
def test_validate_of_any_object_has_no_traceback(
    tmp_path_factory: pytest.TempPathFactory, body: Any, name: str
) -> None:
    check(tmp_path_factory.mktemp("object"), name, json.dumps(body))


TRAINING = """\
apiVersion: linplane.dev/v1alpha1
kind: LinearModel
metadata: {{name: iris-v1}}
spec: {{model: iris, version: v1, training: {{{training}}}}}
"""


def test_whole_floats_are_integers(tmp_path: Path) -> None:
    training = "seed: 7.0, data: {synthetic: {samples: 1e3}}"
    assert check(tmp_path, "model.yaml", TRAINING.format(training=training)) == []
    half = check(tmp_path, "model.yaml", TRAINING.format(training="seed: 7.5, data: {synthetic: {samples: 1e3}}"))
    assert [f["field"] for f in half] == ["spec.training.seed"]


@pytest.mark.parametrize("word", ["y", "Y", "n", "N", "yes", "off", "1", "1e3", "010"])
def test_column_that_yaml_reads_as_another_type(tmp_path: Path, word: str) -> None:
    data = "data: {configMapKeyRef: {name: rows, key: d.csv}}"
    kind = "a number" if word[0] in "01" else "a boolean"
    wrong = TRAINING.format(training=f"target: {word}, features: [a, {word}], {data}")
    found = {f["field"]: f["message"] for f in check(tmp_path, "model.yaml", wrong)}
    told = f'{word} is {kind} in YAML: write "{word}"'
    assert found == {"spec.training.target": told, "spec.training.features[1]": told}
    assert check(tmp_path, "model.yaml", TRAINING.format(training=f'target: "{word}", features: [a], {data}')) == []
