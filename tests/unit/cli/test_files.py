"""`validate` and `assign`, which need files only."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from linplane_api.split import Splitter
from linplane_cli.main import main
from unit.api.objects import INVALID, refusal

PENGUINS = Path(__file__).parents[3] / "manifests/examples/penguins"
MODEL = """\
apiVersion: linplane.dev/v1alpha1
kind: LinearModel
metadata: {name: rent-v1}
spec:
  model: rent
  version: v1
  weights: {configMapKeyRef: {name: rent-v1, key: model.json}}
"""
ROUTE = """\
apiVersion: linplane.dev/v1alpha1
kind: ModelRoute
metadata: {name: rent}
spec:
  model: rent
  version: v1
  split: [{version: v2, percent: 30}, {version: v3, percent: "20.5"}]
"""


def run(*arguments: str | Path) -> Result:
    """The result of the command."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def write(folder: Path, name: str, text: str) -> Path:
    """A file."""
    path = folder / name
    path.write_text(text)
    return path


def weights(text: str) -> str:
    """The ConfigMap that MODEL names."""
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: rent-v1}}\ndata: {{model.json: {json.dumps(text)}}}\n"


def test_examples_are_valid() -> None:
    answer = run("validate", PENGUINS)
    assert answer.exit_code == 0, answer.output
    assert "route.yaml: valid: ModelRoute penguin-mass" in answer.stdout


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_invalid_manifests_are_refused_with_file_line_field_and_rule(path: Path) -> None:
    wrong = refusal(path)
    answer = run("validate", path, "-o", "json")
    assert answer.exit_code == 1
    found = json.loads(answer.stdout)
    assert any(f["field"] == wrong.field and wrong.is_told(f["message"]) and f["file"] == str(path) for f in found)
    assert all(1 <= f["line"] <= len(path.read_text().splitlines()) for f in found)


def test_findings_are_lines_that_an_editor_can_follow(tmp_path: Path) -> None:
    path = write(tmp_path, "route.yaml", ROUTE.replace("30", "130"))
    answer = run("validate", path)
    assert f"{path}:7: spec.split[0].percent: must be from 0 to 100" in answer.stderr
    assert answer.stdout == f"{path}: not valid: ModelRoute rent\n"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yaml", "kind: [", "not YAML"),
        ("a.yaml", "a: b", "an object with apiVersion, kind and metadata is needed"),
        ("a.yaml", weights("{}").replace("model.json: ", "a b: "), "a key is letters"),
        ("a.json", '{"coefficients": {}, "intercept": 1}', ""),
        ("a.json", '{"coefficients": {"a": NaN}, "intercept": 1}', "NaN is not a number of JSON"),
        ("a.yaml", "\x00", "not YAML"),
    ],
)
def test_invalid_files_of_other_kinds(tmp_path: Path, name: str, text: str, message: str) -> None:
    answer = run("validate", write(tmp_path, name, text))
    assert answer.exit_code == 1
    assert message in answer.stderr


def test_artifact_is_valid_and_its_digest_printed(tmp_path: Path) -> None:
    answer = run("validate", write(tmp_path, "a.json", '{"coefficients": {"a": 1}, "intercept": 1}'))
    assert answer.exit_code == 0
    assert "valid: artifact of 1 feature, sha256:" in answer.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"coefficients": {"a": 1}, "intercept": 1}', ""),
        ('{"coefficients": {"a": "x"}, "intercept": 1}', "ConfigMap rent-v1 key model.json"),
        ("{", "ConfigMap rent-v1 key model.json: not JSON"),
    ],
)
def test_weights_in_the_same_files_are_validated(tmp_path: Path, text: str, message: str) -> None:
    paths = write(tmp_path, "a.yaml", weights(text)), write(tmp_path, "b.yaml", MODEL)
    answer = run("validate", *paths)
    assert answer.exit_code == (1 if message else 0)
    if message:
        assert answer.stderr.startswith(f"{paths[1]}:7: spec.weights: {message}")
    assert run("validate", paths[1]).exit_code == 0  # it may exist already


def test_duplicate_object_is_reported_with_both_files(tmp_path: Path) -> None:
    paths = write(tmp_path, "a.yaml", ROUTE), write(tmp_path, "b.yaml", ROUTE)
    answer = run("validate", tmp_path)
    assert answer.stderr == f"{paths[1]}:3: metadata.name: ModelRoute rent is also defined in {paths[0]}:1\n"


def test_validate_fails_without_manifests_and_rejects_a_missing_file(tmp_path: Path) -> None:
    assert run("validate", tmp_path).exit_code == 1
    assert run("validate", tmp_path / "x").exit_code == 2
    assert run("validate").exit_code == 2


# ---- assign ----


def test_assign_gives_what_the_splitter_gives(tmp_path: Path) -> None:
    write(tmp_path, "route.yaml", ROUTE)
    keys = [f"user-{number}" for number in range(300)]
    answer = run(
        "assign", "-f", tmp_path, "--route", "rent", "-o", "json", *(w for key in keys for w in ("--key", key))
    )
    assert answer.exit_code == 0, answer.output
    splitter = Splitter("rent", (3000, 2050))
    names = {None: "v1", 0: "v2", 1: "v3"}
    assert json.loads(answer.stdout) == [{"key": key, "version": names[splitter.pick(key)]} for key in keys]


def test_assign_uses_the_salt_and_omits_frozen_versions(tmp_path: Path) -> None:
    frozen = MODEL.replace("-v1", "-v2").replace(": v1", ": v2").replace("spec:", "spec:\n  frozen: true")
    write(tmp_path, "route.yaml", f"{ROUTE}  splitKey: {{salt: spring}}\n---\n{frozen}")
    keys = [f"user-{number}" for number in range(100)]
    answer = run(
        "assign", "-f", tmp_path, "--route", "rent", "-o", "json", *(w for key in keys for w in ("--key", key))
    )
    splitter = Splitter("spring", (0, 2050))
    names = {None: "v1", 1: "v3"}
    assert [line["version"] for line in json.loads(answer.stdout)] == [names[splitter.pick(key)] for key in keys]


def test_assign_refuses_the_empty_key(tmp_path: Path) -> None:
    write(tmp_path, "route.yaml", ROUTE)
    answer = run("assign", "-f", tmp_path, "--route", "rent", "--key", "a", "--key", "")
    assert answer.exit_code == 2
    assert "an empty key is no key" in answer.stderr


def test_assign_says_that_the_current_version_is_frozen(tmp_path: Path) -> None:
    write(tmp_path, "route.yaml", ROUTE + "---\n" + MODEL.replace("spec:", "spec:\n  frozen: true"))
    answer = run("assign", "-f", tmp_path, "--route", "rent", "--key", "a")
    assert answer.stderr == "v1 is frozen: its share is answered 503\n"
    assert answer.stdout.splitlines()[0] == "KEY   VERSION"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ROUTE.replace("name: rent", "name: other"), "there is no ModelRoute rent in these files"),
        (ROUTE.replace("30", "-3"), "route.yaml:7: spec.split[0].percent"),
        ("kind: [", "route.yaml:1: not YAML"),
    ],
)
def test_assign_fails_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path, "route.yaml", text)
    answer = run("assign", "-f", tmp_path, "--route", "rent", "--key", "a")
    assert answer.exit_code == 1
    assert message in answer.stderr
    assert len(answer.stderr.splitlines()) == 1
