"""`train`: from options to a stored version, and messages about invalid options."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from linplane_api.artifact import parse_artifact
from linplane_cli.main import main

TABLES = Path(__file__).parents[2] / "data" / "tables"


def run(*arguments: str | Path) -> Result:
    """The result of the command."""
    return CliRunner().invoke(main, ["train", *map(str, arguments)])


def test_generated_rows_give_a_stored_version_and_a_log_line(tmp_path: Path) -> None:
    answer = run("--version", "v1", "--samples", 50, "--feature-count", 2, "--store", tmp_path)
    assert answer.exit_code == 0, answer.output
    artifact = parse_artifact((tmp_path / "model-v1.json").read_bytes())
    assert answer.stdout.splitlines()[-1] == artifact.digest
    assert json.loads((tmp_path / "metadata.jsonl").read_text())["digest"] == artifact.digest
    again = run("--version", "v1", "--samples", 50, "--store", tmp_path)
    assert again.exit_code == 1
    assert "version v1 of model exists already" in again.stderr
    assert run("--version", "v1", "--samples", 60, "--store", tmp_path, "--replace").exit_code == 0


def test_file_is_read_from_any_path_and_printed_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "flats.csv").write_text("area,rooms,rent\n" + "".join(f"{i},{i % 4},{3 * i + 1}\n" for i in range(30)))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    options = ["--target", "rent", "--features", "area, rooms", "--model", "rent", "--store", "store", "-o", "json"]
    answer = run("--version", "v1", "--data", "../flats.csv", *options)
    assert answer.exit_code == 0, answer.output
    body = json.loads(answer.stdout)
    assert body["path"] == "store/rent-v1.json"
    assert body["artifact"]["features"] == ["area", "rooms"]
    assert body["artifact"]["coefficients"] == pytest.approx([3, 0], abs=1e-9)


def train_on(tmp_path: Path, table: str, *options: str) -> Result:
    """The result of the command for a table with the target y."""
    (tmp_path / "rows.csv").write_text(table)
    return run("--version", "v1", "--data", tmp_path / "rows.csv", "--target", "y", "--store", tmp_path, *options)


def test_warnings_are_below_the_tables(tmp_path: Path) -> None:
    rows = "".join(f"{i},no,{i * i % 7}\n" for i in range(60))
    answer = train_on(tmp_path, f"x,smoker,y\n{rows}")
    assert "warning: ColumnsLeftOut: 1 column was left out: smoker (text, line 2)" in answer.stdout.splitlines()
    answer = train_on(tmp_path, f"x,smoker,y\n{rows}", "--replace", "-o", "json")
    assert json.loads(answer.stdout)["facts"]["leftOut"] == [{"column": "smoker", "reason": "NotNumeric", "line": 2}]


def test_names_with_commas_are_quoted(tmp_path: Path) -> None:
    table = '"Solar, R",Wind,"a ""b""",y\n' + "".join(f"{i},{i % 5},{i * i % 7},{i % 3}\n" for i in range(40))
    answer = train_on(tmp_path, table, "--features", '"Solar, R", Wind , "a ""b"""', "-o", "json")
    assert json.loads(answer.stdout)["artifact"]["features"] == ["Solar, R", "Wind", 'a "b"']
    answer = train_on(tmp_path, table, "--exclude", 'Wind,"Solar, R"', "-o", "json", "--replace")
    assert json.loads(answer.stdout)["artifact"]["features"] == ['a "b"']
    assert "no column rain; there are" in train_on(tmp_path, table, "--exclude", "rain", "--replace").stderr


def test_csv_with_another_separator_is_read(tmp_path: Path) -> None:
    table = "x;y\n" + "".join(f"{i},5;{2 * i + 1}\n?;7\n" for i in range(30))
    answer = train_on(tmp_path, table, "--separator", ";", "--decimal", ",", "--null-value", "?", "-o", "json")
    artifact = json.loads(answer.stdout)["artifact"]
    assert artifact["coefficients"] == pytest.approx([2])
    assert artifact["training"]["droppedRows"] == 30
    answer = train_on(
        tmp_path, table.replace(";", "\t"), "--separator", "tab", "--decimal", ",", "--null-value", "?", "--replace"
    )
    assert answer.exit_code == 0, answer.output
    assert "set csv.separator (--separator)" in train_on(tmp_path, table, "--replace").stderr


def test_control_characters_of_a_header_are_escaped(tmp_path: Path) -> None:
    table = (TABLES / "escape-in-header.csv").read_text()
    assert "\x1b" in table
    for answer in (
        train_on(tmp_path, table),
        train_on(tmp_path, table, "--features", "nope", "--replace"),
        train_on(tmp_path, table.replace("3,5,9", "3,word,9"), "--replace"),
    ):
        assert r"\x1b]0;title\x07z" in answer.output
        assert all(line.isprintable() for line in answer.output.splitlines())


def test_table_counts_the_coefficients_that_it_omits(tmp_path: Path) -> None:
    answer = run("--version", "v1", "--samples", 500, "--feature-count", 200, "--store", tmp_path)
    assert "and 168 more, which -o json prints" in answer.stdout.splitlines()
    answer = run("--version", "v2", "--samples", 500, "--feature-count", 32, "--store", tmp_path)
    assert " more" not in answer.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["v_4", "--samples", 9], "VERSION: lower-case letters, digits and dots are needed, at most 32"),
        (["--version", "v1", "--samples", 9, "--model", "A"], "--model: lower-case letters, digits and hyphens"),
        (["--version", "v1"], "exactly one of --samples, --data, --query and --query-file is needed"),
        (
            ["--version", "v1", "--samples", 9, "--data", "a"],
            "exactly one of --samples, --data, --query and --query-file is needed",
        ),
        (["--version", "v1", "--samples", 9, "--target", "a"], "leave out --target and --features"),
        (["--version", "v1", "--data", "a"], "--target is needed with --data"),
        (["--version", "v1", "--samples", 9, "--exclude", "a"], "leave out --target and --features or --exclude"),
        (["v1", "--samples", 9, "--holdout-key", "a"], "leave out --holdout-key"),
        (
            ["--version", "v1", "--data", "a", "--target", "y", "--exclude", "b", "--features", "a"],
            "--exclude: of listed --features none can be left out",
        ),
        (["--version", "v1", "--data", "a", "--target", "y", "--features", '"a'], "--features: quotes are misplaced"),
        (["--version", "v1", "--data", "a", "--target", "y", "--features", "a,"], "--features:"),
        (["--version", "v1", "--samples", 9, "--decimal", ","], "leave out --separator, --decimal and --null-value"),
        (["--version", "v1", "--data", "a", "--separator", "ab"], "--separator: `tab` or one character is needed"),
        (["--version", "v1", "--data", "a", "--separator", "."], "--separator: `tab` or one character is needed"),
        (["--version", "v1", "--data", "a", "--decimal", ","], "--decimal: a comma separates the values"),
        (["--version", "v1", "--samples", 9, "--noise", "nan"], "--noise:"),
        (["--version", "v1", "--samples", 9, "--noise", -1], "--noise"),
        (["--version", "v1", "--samples", 9, "--ridge", "nan"], "--ridge:"),
        (["--version", "v1", "--samples", 9, "--feature-count", 0], "--feature-count"),
        (["--version", "v1", "--samples", 9, "--feature-count", 5000], "--feature-count"),
        (["--version", "v1", "--samples", 1], "--samples"),
        (["--version", "v1", "--samples", 9, "--holdout-percent", 91], "--holdout-percent"),
    ],
)
def test_invalid_options_are_reported(options: list[object], message: str, tmp_path: Path) -> None:
    answer = run(*map(str, options), "--store", tmp_path)
    assert answer.exit_code == 2
    assert message in answer.stderr.splitlines()[-1]
    assert "regex" not in answer.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "message"),
    [("nope.csv", "nope.csv: there is no such data file"), ("/dev/null", "/dev/null: the data is not a regular file")],
)
def test_unreadable_data_is_reported(tmp_path: Path, data: str, message: str) -> None:
    answer = run("--version", "v1", "--data", data, "--target", "a", "--store", tmp_path)
    assert (answer.exit_code, answer.stderr) == (1, f"linplane: {message}\n")


def test_unwritable_store_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    answer = run("--version", "v1", "--samples", 9, "--store", tmp_path / "file")
    assert answer.exit_code == 1
    assert str(tmp_path / "file") in answer.stderr
    assert len(answer.stderr.splitlines()) == 1
