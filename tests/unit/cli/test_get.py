"""`get`: kubectl's columns over a state folder."""

import fcntl
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from linplane_cli.main import main
from linplane_cli.output import age


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of manifests with a state of one version and one route."""
    made = (datetime.now(UTC) - timedelta(minutes=5, seconds=10)).strftime("%Y-%m-%dT%H:%M:%SZ")
    ready = {"type": "Ready", "status": "True", "reason": "Validated"}
    model = {
        "kind": "LinearModel",
        "metadata": {"name": "rent-v1", "creationTimestamp": made},
        "spec": {"model": "rent", "version": "v1", "frozen": True},
        "status": {
            "conditions": [ready],
            "samples": 40,
            "mseSummary": "1.23457e+06",
            "r2Summary": "-",
            "warningSummary": "RowsDropped, FewRows",
        },
    }
    route = {
        "kind": "ModelRoute",
        "metadata": {"name": "rent", "creationTimestamp": "nonsense"},
        "spec": {"version": "v1"},
    }
    for plural, body in (("linearmodels", model), ("modelroutes", route)):
        place = tmp_path / ".linplane/objects" / plural
        place.mkdir(parents=True)
        (place / f"{body['metadata']['name']}.json").write_text(json.dumps(body))  # type: ignore[index]
    return tmp_path


def run(*arguments: str | Path) -> Result:
    """The result of the command."""
    return CliRunner().invoke(main, ["get", *map(str, arguments)])


def test_kinds_have_their_columns(folder: Path) -> None:
    answer = run("--dir", folder)
    assert answer.exit_code == 0, answer.output
    assert answer.stdout == (
        "NAME      MODEL   VERSION   READY   REASON      FROZEN   MSE           R2   SAMPLES   AGE\n"
        "rent-v1   rent    v1        True    Validated   true     1.23457e+06   -    40        5m10s\n"
        "\n"
        "NAME   VERSION   TRAFFIC   READY   REASON   LOADED   AGE\n"
        "rent   v1                                            <unknown>\n"
        "\n"
        "no ModelServers\n"
    )


def test_warnings_are_in_wide_tables(folder: Path) -> None:
    head, row = run("models", "-o", "wide", "--dir", folder).stdout.splitlines()
    assert head.split()[-2:] == ["WARNINGS", "AGE"]
    assert "RowsDropped, FewRows" in row


@pytest.mark.parametrize("kind", ["models", "model", "lmod", "linearmodels", "linearmodel"])
def test_kind_has_aliases(folder: Path, kind: str) -> None:
    assert run(kind, "--dir", folder).stdout.splitlines()[1].split()[0] == "rent-v1"


def test_json_of_one_and_of_all(folder: Path) -> None:
    assert json.loads(run("model", "rent-v1", "-o", "json", "--dir", folder).stdout)["spec"]["version"] == "v1"
    everything = json.loads(run("-o", "json", "--dir", folder).stdout)
    assert (everything["kind"], len(everything["items"])) == ("List", 2)


def test_problems_and_a_stopped_app_are_on_standard_error(folder: Path) -> None:
    problem = {"file": "a.yaml", "line": 3, "field": "spec.version", "message": "Required value"}
    (folder / ".linplane/problems.json").write_text(json.dumps([problem]))
    lines = run("--dir", folder).stderr.splitlines()
    assert lines[0] == "refused: a.yaml:3: spec.version: Required value"
    assert lines[1].startswith("linplane local is not running here")
    with (folder / ".linplane/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert run("--dir", folder).stderr.splitlines() == lines[:1]


def test_missing_object_is_one_line(folder: Path, tmp_path: Path) -> None:
    assert run("models", "rent-v9", "--dir", folder).stderr == "linplane: there is no LinearModel rent-v9\n"
    assert run("pods", "--dir", folder).exit_code == 2
    assert run("--dir", folder / "nope").exit_code == 2
    empty = tmp_path / "empty"
    empty.mkdir()
    answer = run("--dir", empty)
    assert (answer.exit_code, len(answer.stderr.splitlines())) == (1, 1)


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"metadata": []}'])
def test_unreadable_file_is_skipped(folder: Path, text: str) -> None:
    (folder / ".linplane/objects/linearmodels/rent-v2.json").write_text(text)
    (folder / ".linplane/problems.json").write_text(text)
    answer = run("models", "--dir", folder)
    assert answer.exit_code == 0, answer.output
    assert len(answer.stdout.splitlines()) == 2


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "0s"),
        (119.9, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (600, "10m"),
        (3 * 3600, "3h"),
        (47 * 3600, "47h"),
        (48 * 3600, "2d"),
    ],
)
def test_ages_are_formatted_like_kubectl(seconds: float, shown: str) -> None:
    assert age(seconds) == shown
