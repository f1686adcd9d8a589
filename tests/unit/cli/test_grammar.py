"""The grammar of the command line: every command follows it, and earlier spellings still work."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from linplane_api.kinds import OURS, REPLICA_REPORT
from linplane_cli import grammar
from linplane_cli.main import main
from linplane_operator.kube.options import Options
from unit.cli.test_files import ROUTE

PAGE = Path(__file__).parents[3] / "docs/command-line.md"
COMMANDS = sorted(main.commands)
PLACES = {"--dir", "--state", "--url", "--artifact", "--context", "--namespace", "--kubeconfig"}
CREDENTIALS = {"--token-file", "--admin-token-file"}  # files that are no place of objects


def run(*arguments: str | Path, env: dict[str, str] | None = None) -> Result:
    """The result of a command."""
    return CliRunner(env=env).invoke(main, list(map(str, arguments)))


# ---- every command ----


def breaches(command: click.Command) -> Iterator[str]:
    """What in a command is not of the grammar."""
    if not re.fullmatch("[a-z]+", str(command.name)):
        yield f"{command.name}: a verb is one word"
    subjects = [one for one in command.params if isinstance(one, click.Argument)]
    for number, one in enumerate(subjects):
        if not isinstance(one, grammar.Subject | grammar.AliasArgument):
            yield f"{command.name}: {one.name} is no subject"
        elif isinstance(one.type, grammar.KindType) and number:
            yield f"{command.name}: KIND is not the first argument"
    for option in command.params:
        if isinstance(option, click.Option):
            yield from (f"{command.name}: {option.opts[0]} {problem}" for problem in option_breaches(option))


def option_breaches(option: click.Option) -> Iterator[str]:
    """What in an option is not of the grammar."""
    is_place, is_alias = isinstance(option, grammar.Place), isinstance(option, grammar.Alias)
    names_place = isinstance(option.type, click.Path) or str(option.default).startswith(("http:", "https:"))
    if is_place != (option.opts[0] in PLACES):
        yield "is a place of its own spelling" if is_place else "is a place that is not of the grammar"
    if names_place and not (is_place or is_alias or option.opts[0] in CREDENTIALS):
        yield "says where in its own way"
    if is_place and len(option.opts) > 1:
        yield "has two spellings"
    if option.hidden != is_alias:
        yield "is an alias in help" if is_alias else "is hidden, but no alias"
    if is_alias and not str(option.help).startswith("Alias of "):
        yield "does not say what it is an alias of"


@pytest.mark.parametrize("name", COMMANDS)
def test_command_follows_the_grammar(name: str) -> None:
    assert list(breaches(main.commands[name])) == []


@pytest.mark.parametrize(
    ("decorator", "breach"),
    [
        (click.argument("route"), "x: route is no subject"),
        (click.option("--store", type=click.Path()), "x: --store says where in its own way"),
        (click.option("--server", default="http://127.0.0.1:1"), "x: --server says where in its own way"),
        (click.option("--dir"), "x: --dir is a place that is not of the grammar"),
        (click.option("--folder", cls=grammar.Place), "x: --folder is a place of its own spelling"),
        (click.option("--dir", "-d", cls=grammar.Place), "x: --dir has two spellings"),
        (click.option("--old", cls=grammar.Alias, help="Alias of --new."), "x: --old is an alias in help"),
        (click.option("--old", hidden=True), "x: --old is hidden, but no alias"),
        (click.option("--old", cls=grammar.Alias, hidden=True), "x: --old does not say what it is an alias of"),
    ],
    ids=lambda value: value.removeprefix("x: ") if isinstance(value, str) else "",
)
def test_breach_is_found(decorator: Callable[..., Any], breach: str) -> None:
    assert list(breaches(click.command("x")(decorator(lambda: None)))) == [breach]


def test_kind_after_a_name_is_found() -> None:
    command = click.command("x-y")(grammar.name(grammar.ROUTE)(grammar.kind()(lambda: None)))
    assert list(breaches(command)) == ["x-y: a verb is one word", "x-y: KIND is not the first argument"]


@pytest.mark.parametrize("spelling", sorted(PLACES | {"--route", "--key", "--features", "--token-file", "--log-level"}))
def test_option_means_the_same_in_every_command(spelling: str) -> None:
    found = [option for name in COMMANDS for option in main.commands[name].params if option.opts[0] == spelling]
    assert found
    shown = [option for option in found if not isinstance(option, grammar.Alias)]
    assert len({option.make_metavar(click.Context(main)) for option in shown}) == 1


def test_output_has_one_spelling() -> None:
    outputs = [option.opts for name in COMMANDS for option in main.commands[name].params if option.name == "output"]
    assert len(outputs) > 5
    assert all(found == ["-o", "--output"] for found in outputs)


# ---- kinds ----


def test_kinds_are_those_of_the_api() -> None:
    """No command shows reports: the status of routes and servers has what they say."""
    ours = {kind.kind: {kind.kind.lower(), kind.plural, kind.short} for kind in OURS if kind is not REPLICA_REPORT}
    assert {kind.resource: set(kind.others) - {"model", "models"} for kind in grammar.KINDS} == ours
    words = [word for kind in grammar.KINDS for word in (kind.word, kind.plural, *kind.others)]
    assert len(words) == len(set(words))


@pytest.mark.parametrize("word", ["version", "versions", "model", "models", "LinearModel", "lmod"])
def test_kind_is_known_by_each_of_its_words(word: str) -> None:
    assert grammar.KindType().convert(word, None, None) is grammar.VERSION


def test_unknown_kind_is_refused_with_those_that_there_are() -> None:
    answer = run("get", "pods")
    assert answer.exit_code == 2
    assert answer.stderr.endswith("pods is not a kind; there are versions, routes, servers\n")


def test_kinds_are_completed() -> None:
    command = main.commands["get"]
    found = command.params[0].shell_complete(click.Context(command), "s")
    assert [item.value for item in found] == ["servers"]


# ---- places ----


@click.command("x", context_settings={"auto_envvar_prefix": "T"})
@grammar.folder("Text.", default=None, exists=False)
@grammar.url(8080, "public")
@grammar.artifact("Text.")
@click.pass_context
def place(ctx: click.Context, **_: object) -> None:
    """Prints the place."""
    click.echo(grammar.chosen_place(ctx))


@pytest.mark.parametrize(
    ("arguments", "env", "chosen"),
    [
        ([], {}, "--url"),
        (["--dir", "a"], {}, "--dir"),
        (["--dir", "a"], {"T_URL": "http://a"}, "--dir"),
        (["--url", "http://a"], {"T_DIR": "a"}, "--url"),
        ([], {"T_DIR": "a"}, "--dir"),
        (["--artifact", __file__], {"T_DIR": "a"}, "--artifact"),
        (["--dir", "a", "--artifact", __file__], {}, ""),
        ([], {"T_DIR": "a", "T_URL": "http://a"}, ""),
    ],
)
def test_place_is_that_of_the_command_line_before_that_of_the_environment(
    arguments: list[str], env: dict[str, str], chosen: str
) -> None:
    answer = CliRunner(env=env).invoke(place, arguments)
    assert answer.stdout.strip() == chosen
    assert ("two places" in answer.stderr) is not chosen


def test_place_has_a_variable_of_its_own_spelling(tmp_path: Path) -> None:
    missing = f"{tmp_path}/.linplane has no state yet: start `linplane local --dir {tmp_path}`"
    for name in ("LINPLANE_GET_DIR", "LINPLANE_GET_FOLDER"):  # the second one is Click's own
        assert missing in run("get", env={name: str(tmp_path)}).stderr


def test_cluster_is_that_of_kubectl(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Options] = []

    async def serve(options: Options) -> int:
        found.append(options)
        return 0

    monkeypatch.setattr("linplane_operator.kube.process.serve", serve)
    cluster = ["--context", "prod", "--namespace", "a", "--namespace", "b", "--kubeconfig", __file__]
    assert run("operator", *cluster).exit_code == 0
    by_variable = {"CONTEXT": "prod", "NAMESPACE": "a b", "KUBECONFIG": __file__}
    assert (
        run("operator", env={f"LINPLANE_OPERATOR_{name}": value for name, value in by_variable.items()}).exit_code == 0
    )
    assert [(each.context, each.namespaces, each.kubeconfig) for each in found] == 2 * [
        ("prod", ("a", "b"), Path(__file__))
    ]


# ---- aliases ----


def outcome(*arguments: str | Path, env: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Exit code and output."""
    answer = run(*arguments, env=env)
    return answer.exit_code, answer.stdout, answer.stderr


def test_aliases_of_assign(tmp_path: Path) -> None:
    file = tmp_path / "route.yaml"
    file.write_text(ROUTE)
    expected = outcome("assign", "rent", "--key", "a", "--dir", tmp_path)
    assert expected[0] == 0
    assert outcome("assign", "--route", "rent", "--key", "a", "-f", tmp_path) == expected
    assert outcome("assign", "rent", "--key", "a", "--filename", file) == expected
    assert outcome("assign", "--key", "a", "-f", file, env={"LINPLANE_ASSIGN_ROUTE": "rent"}) == expected
    assert "ROUTE is missing" in run("assign", "--key", "a", "--dir", tmp_path).stderr
    both = run("assign", "rent", "--route", "rent", "--key", "a")
    assert (both.exit_code, "--route is another word for ROUTE: give one of them" in both.stderr) == (2, True)


def test_aliases_of_train(tmp_path: Path) -> None:
    for number, arguments in enumerate((["v1", "--dir"], ["--version", "v1", "--store"])):
        answer = run("train", *arguments, tmp_path / str(number), "--samples", "9")
        assert answer.exit_code == 0, answer.output
        assert (tmp_path / str(number) / "model-v1.json").is_file()
    answer = run("train", "v2", "--samples", "9", env={"LINPLANE_TRAIN_STORE": str(tmp_path)})
    assert (tmp_path / "model-v2.json").is_file(), answer.output


def test_aliases_of_local(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    expected = outcome("local", "--dir", file)
    assert expected[0] == 2
    assert "Not a directory" in expected[2]
    assert outcome("local", file) == expected
    assert "DIR is another word for --dir: give one of them" in run("local", "--dir", file, file).stderr


def test_aliases_of_validate(tmp_path: Path) -> None:
    (tmp_path / "route.yaml").write_text(ROUTE)
    expected = outcome("validate", "--dir", tmp_path)
    assert expected[0] == 0
    assert outcome("validate", tmp_path) == expected == outcome("validate", tmp_path / "route.yaml")


def test_option_of_the_command_line_precedes_an_alias_of_the_environment(tmp_path: Path) -> None:
    env = {"LINPLANE_TRAIN_STORE": str(tmp_path / "a")}
    assert run("train", "v1", "--samples", "9", "--dir", tmp_path / "b", env=env).exit_code == 0
    assert not (tmp_path / "a").exists()


# ---- the page ----


def usage(command: click.Command) -> str:
    """The words of a command in order: VERB, subjects, and its places as options."""
    ctx = click.Context(command, info_name=command.name)
    pieces = [piece for piece in command.collect_usage_pieces(ctx) if piece != "[OPTIONS]"]
    return " ".join([str(command.name), *pieces])


def places(command: click.Command) -> set[str]:
    """The places of a command."""
    return {option.opts[0] for option in command.params if isinstance(option, grammar.Place)}


def test_page_has_the_usage_and_the_places_of_every_command() -> None:
    rows = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| `linplane ")]
    found = {row[0].strip("`").removeprefix("linplane "): set(re.findall("`(--[a-z]+)", row[1])) for row in rows}
    assert found == {usage(main.commands[name]): places(main.commands[name]) for name in COMMANDS}


def test_page_has_every_kind() -> None:
    text = PAGE.read_text()
    for kind in grammar.KINDS:
        assert f"| `{kind.word}`, `{kind.plural}` | {kind.resource} |" in text
