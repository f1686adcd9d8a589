"""`train --query`: the rows of a database that the environment names."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from linplane_api.task import PostgresData, Task
from linplane_cli.main import main
from linplane_cli.train_credentials import environment_credentials
from postgresql import PASSWORD, Server

ROWS = "select i x, 2.5 * i + i % 3 y from generate_series(1, 60) i"


@pytest.fixture
def run(postgresql: Server, tmp_path: Path):
    """run(*arguments, **keys): the command, in an environment with these keys of a Secret alone."""

    def call(*arguments: str | Path, **keys: str) -> Result:
        environment = {name: value for name, value in postgresql.variables(**keys).items() if value}
        options = ["train", "v1", "--target", "y", "--dir", str(tmp_path), *map(str, arguments)]
        answer = CliRunner().invoke(main, options, env=dict.fromkeys(postgresql.variables()) | environment)
        assert PASSWORD not in answer.output
        return answer

    return call


def test_query_of_an_argument_or_a_file_gives_one_model(run, tmp_path: Path) -> None:
    first = run("--query", ROWS, "-o", "json")
    assert first.exit_code == 0, first.output
    (tmp_path / "rows.sql").write_text(f"-- all of them\n{ROWS};\n")
    second = run("--query-file", tmp_path / "rows.sql", "--replace", "-o", "json")
    assert json.loads(first.stdout)["digest"] == json.loads(second.stdout)["digest"]
    assert "generate_series" not in first.stdout


def test_socket_of_the_environment_is_connected_to(run, postgresql: Server) -> None:
    answer = run("--query", ROWS, host=str(postgresql.folder), sslMode="")
    assert answer.exit_code == 0, answer.output


def test_certificate_is_verified_unless_the_environment_says_otherwise(run) -> None:
    answer = run("--query", ROWS, sslMode="")
    assert "linplane: the query: the database offers no TLS, which sslMode demands" in answer.stderr


def test_root_certificate_is_that_of_the_file(run, tmp_path: Path) -> None:
    """It is read, so that one that is missing is an error; test_postgres_tls.py sees what it is for."""
    (tmp_path / "root.crt").write_text("PEM")
    task = Task("m", "v1", PostgresData("select 1"))
    given = environment_credentials(task, {"PGHOST": "a.example", "PGSSLROOTCERT": str(tmp_path / "root.crt")})
    assert given == {"host": "a.example", "sslRootCert": "PEM"}
    assert environment_credentials(task, {"PGSSLROOTCERT": "system"}) == {}
    (tmp_path / "root.der").write_bytes(b"\x30\x82\x05\xff")
    answer = run("--query", ROWS, sslRootCert=str(tmp_path / "root.der"))
    assert "PGSSLROOTCERT: a certificate in PEM form is needed" in answer.stderr
    answer = run("--query", ROWS, sslRootCert=str(tmp_path / "none.crt"))
    assert f"{tmp_path / 'none.crt'}: No such file or directory" in answer.stderr
    assert "/nope.sql: No such file" in run("--query-file", "/nope.sql").stderr


def test_host_of_the_environment_is_trusted_unless_others_are_allowed(run) -> None:
    answer = run("--query", ROWS, "--allowed-host", "db.example")
    assert "the database's host is not one of the allowed hosts" in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--query", "select 1", "--data", "x.csv"], "exactly one of --samples, --data, --query and --query-file"),
        ([], "exactly one of --samples, --data, --query and --query-file is needed"),
        (["--query", " "], "the query is empty"),
        (["--query", "select 1", "--separator", ";"], "the rows of a query are no CSV"),
        (["--query", "select 1", "--target", ""], "--target is needed with --query"),
    ],
)
def test_query_options_are_checked(run, arguments: list[str], message: str) -> None:
    answer = run(*arguments)
    assert answer.exit_code == 2
    assert message in " ".join(answer.stderr.split())


@pytest.mark.parametrize(("key", "variable"), [("host", "PGHOST"), ("database", "PGDATABASE"), ("user", "PGUSER")])
def test_variable_that_is_not_set_is_named(run, key: str, variable: str) -> None:
    assert f"the query: {variable} is not set" in run("--query", ROWS, **{key: ""}).stderr
