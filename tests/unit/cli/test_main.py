"""The command as a whole: help with examples, exit codes, a quick start."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from linplane_api.logs import LEVELS
from linplane_cli.main import main

COMMANDS = [
    *("local", "operator", "train", "validate", "assign", "predict", "get", "describe"),
    *("status", "switch", "freeze", "unfreeze"),
]
HEAVY = [
    *("asyncio", "numpy", "pyarrow", "msgspec", "yaml", "jsonschema", "cel", "httpx"),
    *("linplane", "linplane_api", "linplane_operator"),
]


def test_command_list() -> None:
    assert sorted(main.commands) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_have_help_with_an_example_and_every_option(name: str) -> None:
    answer = CliRunner().invoke(main, [name, "--help"])
    assert answer.exit_code == 0
    assert f"linplane {name}" in answer.output.partition("Example")[2]
    options = [p for p in main.commands[name].params if isinstance(p, click.Option)]
    assert [option.name for option in options if not option.help] == []


@pytest.mark.parametrize("name", ["status", "switch", "freeze", "unfreeze"])
def test_admin_commands_have_url_route_and_token_file(name: str) -> None:
    names = {word for parameter in main.commands[name].params for word in parameter.opts}
    assert {"--url", "--route", "--token-file", "-o"} <= names


@pytest.mark.parametrize("name", ["local", "operator"])
def test_log_level_is_one_of_those_of_the_logs_module(name: str) -> None:
    (option,) = [parameter for parameter in main.commands[name].params if parameter.name == "log_level"]
    assert isinstance(option.type, click.Choice)
    assert list(option.type.choices) == list(LEVELS)
    assert option.default == "info"


def test_exit_codes_and_completion_are_documented() -> None:
    output = CliRunner().invoke(main, ["--help"]).output
    for words in ("0  done", "1  refused or failed", "2  could not start", "_LINPLANE_COMPLETE=bash_source"):
        assert words in output


@pytest.mark.parametrize(
    "arguments",
    [["nope"], ["switch"], ["train"], ["local"], ["local", "operator", "--port", "x", "."], ["get", "-o", "x"]],
)
def test_invalid_arguments_exit_with_2(arguments: list[str]) -> None:
    answer = CliRunner().invoke(main, arguments)
    assert answer.exit_code == 2
    assert "Usage:" in answer.output


def test_help_imports_nothing_heavy() -> None:
    code = f"""
import sys
from linplane_cli.main import main
try:
    main(["--help"])
except SystemExit:
    print("HEAVY", [name for name in {HEAVY} if name in sys.modules])
"""
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.splitlines()[-1] == "HEAVY []"


def test_completion_names_the_commands() -> None:
    environment = {"_LINPLANE_COMPLETE": "bash_complete", "COMP_WORDS": "linplane s", "COMP_CWORD": "1"}
    code = "from linplane_cli.main import main; main(prog_name='linplane')"
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    ).stdout
    assert output.split() == ["plain,status", "plain,switch"]
