"""The command line."""

import dataclasses
from pathlib import Path

import pytest

from linplane_api.logs import LEVELS
from linplane_server.options import group_of, parse
from linplane_server.settings import Limits, Public, Shutdown

WRONG = [
    [],
    ["--conf", "x"],
    ["--config", "x", "--port", "no"],
    ["--config", "x", "--trusted-proxy", "10.0.0.1/8"],
    ["--config", "x", "--trusted-proxy", "*"],
    ["--config", "x", "--body-bytes", "-1"],
    ["--config", "x", "--body-bytes", "2001", "--in-flight-bytes", "2000"],
    ["--config", "x", "--idle-seconds", "nan"],
    ["--config", "x", "--log-level", "loud"],
    ["--config", "x", "--root-path", "scoring"],
    ["--config", "x", "--root-path", "/a b"],
    ["--config", "x", "--root-path", "//a"],
    ["--config", "x", "--root-path", "/a?b"],
    ["--config", "x", "more"],
]


@pytest.mark.parametrize("arguments", WRONG)
def test_arguments_that_are_invalid_exit_with_a_message(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(arguments)
    assert caught.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_defaults_are_those_of_the_settings() -> None:
    options = parse(["--config", "x"])
    assert group_of(options, Limits) == Limits()
    assert group_of(options, Shutdown) == Shutdown()
    assert options.host == options.admin_host == "127.0.0.1"
    assert options.config == Path("x")
    assert (options.public_names, options.root_path) == (Public().names, Public().root_path)


@pytest.mark.parametrize(("given", "expected"), [("/scoring", "/scoring"), ("/a/b-1/", "/a/b-1"), ("/", ""), ("", "")])
def test_root_path_has_no_slash_at_its_end(given: str, expected: str) -> None:
    assert parse(["--config", "x", "--root-path", given]).root_path == expected


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_log_level_is_one_that_the_logs_know(level: str) -> None:
    assert parse(["--config", "x", "--log-level", level]).log_level == level
    assert level in LEVELS
    assert parse(["--config", "x"]).log_level == "info"


@pytest.mark.parametrize("group", [Limits, Shutdown])
def test_settings_have_a_flag_and_a_description(group: type, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])
    text = capsys.readouterr().out
    for field in dataclasses.fields(group):
        assert f"--{field.name.replace('_', '-')} " in text
        assert field.metadata["help"].split()[0] in text


def test_trusted_proxies_add_up() -> None:
    options = parse(["--config", "x", "--trusted-proxy", "10.0.0.0/8", "--trusted-proxy", "::1/128"])
    assert [str(network) for network in options.trusted_proxy] == ["10.0.0.0/8", "::1/128"]


IN_A_CLUSTER = ["--config", "c", "--kubernetes", "--pod-name", "p", "--pod-uid", "u"]


def test_cluster_options_need_a_pod_name_and_exclude_those_of_local_mode(capsys: pytest.CaptureFixture[str]) -> None:
    args = parse([*IN_A_CLUSTER, "--api-url", "https://x", "--namespace", "n"])
    assert (args.kubernetes, args.api_url, args.namespace) == (True, "https://x", "n")
    for wrong in (
        ["--config", "c", "--kubernetes", "--pod-name", "p"],
        ["--config", "c", "--kubernetes", "--pod-uid", "u"],
        [*IN_A_CLUSTER, "--report", "f"],
        [*IN_A_CLUSTER, "--state", "d"],
        [*IN_A_CLUSTER, "--admin-token-file", "f"],
    ):
        with pytest.raises(SystemExit):
            parse(wrong)
        assert "--kubernetes" in capsys.readouterr().err


def test_fast_path_is_on_unless_it_is_switched_off() -> None:
    assert parse(["--config", "x"]).fast_path
    assert not parse(["--config", "x", "--no-fast-path"]).fast_path
