"""The grammar of the command line, as kubectl's: `linplane VERB [KIND] NAME...`, and one way to say where.

Commands take their KIND, names, files and places from here, so that each has one spelling. A verb for objects of one
kind takes no KIND. `local` and `operator` are no verbs but programs, which run until they are stopped.

Earlier spellings still work: they are hidden options, see `alias`.
"""

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

Function = Callable[..., Any]
Decorator = Callable[[Function], Function]

PROGRAMS = ("local", "operator")


class Kind(NamedTuple):
    """A KIND: its word, the plural, the kind of the API, and other words for it."""

    word: str
    plural: str
    resource: str
    others: tuple[str, ...]


VERSION = Kind("version", "versions", "LinearModel", ("model", "models", "lmod", "linearmodel", "linearmodels"))
ROUTE = Kind("route", "routes", "ModelRoute", ("mroute", "modelroute", "modelroutes"))
SERVER = Kind("server", "servers", "ModelServer", ("mserver", "modelserver", "modelservers"))
KINDS = (VERSION, ROUTE, SERVER)

_BY_WORD = {word: kind for kind in KINDS for word in (kind.word, kind.plural, *kind.others)}


class KindType(click.ParamType[Kind]):
    """A KIND by any of its words, in any case."""

    name = "kind"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Kind:  # noqa: ARG002
        """The Kind of a word. Raises click.UsageError if there is none."""
        kind = value if isinstance(value, Kind) else _BY_WORD.get(str(value).lower())
        if kind is None:
            raise click.UsageError(f"{value} is not a kind; there are {', '.join(kind.plural for kind in KINDS)}", ctx)
        return kind

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """The plurals."""
        return [CompletionItem(kind.plural) for kind in KINDS if kind.plural.startswith(incomplete)]


class Subject(click.Argument):
    """An argument that says what a verb acts on: a KIND, names, files, or words of its own."""


class Spelled(click.Option):
    """An option whose environment variable is spelled as itself: LINPLANE_GET_DIR for the --dir of get."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """The value of that variable, or of the one that Click names; None if there is none, or it is empty."""
        word = self.opts[0].lstrip("-").replace("-", "_").upper()
        return os.environ.get(f"{ctx.auto_envvar_prefix}_{word}") or super().resolve_envvar_value(ctx)


class Place(Spelled):
    """An option that says where the objects are."""


class Alias(Spelled):
    """An earlier spelling, which help does not show."""


class AliasArgument(click.Argument):
    """The same, as an argument: that of `local`."""

    def get_usage_pieces(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """None."""
        return []


def kind() -> Decorator:
    """The argument KIND, which may be left out: all kinds."""
    return click.argument("kind", cls=Subject, metavar="[KIND]", type=KindType(), required=False)


def names() -> Decorator:
    """Any number of names of objects of KIND."""
    return click.argument("names", cls=Subject, metavar="[NAME]...", nargs=-1)


def name(of: Kind, *, required: bool = True, former: str = "") -> Decorator:
    """The name of an object of one kind, as `version`, `route` or `server`; `former` is an option that gave it."""
    word = of.word.upper()
    metavar = word if required else f"[{word}]"

    def add(command: Function) -> Function:
        argument = click.argument(of.word, cls=Subject, metavar=metavar, required=required and not former)
        if not former:
            return argument(command)
        return argument(alias(former, of.word, of=word, required=required)(command))

    return add


def words(metavar: str) -> Decorator:
    """The arguments of a verb that finds out by itself which are names and which are files."""
    return click.argument("words", cls=Subject, metavar=metavar, nargs=-1)


def files() -> Decorator:
    """Any number of files that exist."""
    path = click.Path(path_type=Path, exists=True)
    return click.argument("files", cls=Subject, metavar="[FILE]...", nargs=-1, type=path)


def folder(
    text: str, *, default: str | None = ".", exists: bool = True, required: bool = False, former: str = ""
) -> Decorator:
    """`--dir DIR`, as `folder`; `former` is an option, or an argument, that gave it."""
    path = click.Path(path_type=Path, exists=exists)
    shown = default is not None
    option = click.option(
        "--dir", "folder", cls=Place, metavar="DIR", type=path, default=default, show_default=shown, help=text
    )

    def add(command: Function) -> Function:
        return option(alias(former, "folder", of="--dir", required=required, type=path)(command) if former else command)

    return add


def state() -> Decorator:
    """`--state DIR`, for a `--dir` whose state folder is elsewhere."""
    text = "The state folder of --dir  [default: DIR/.linplane]."
    return click.option("--state", cls=Place, metavar="DIR", type=click.Path(path_type=Path), help=text)


def url(port: int, which: str) -> Decorator:
    """`--url URL`; by default a port of this machine."""
    default = f"http://127.0.0.1:{port}"
    text = f"The server's {which} address."
    return click.option("--url", cls=Place, metavar="URL", default=default, show_default=True, help=text)


def artifact(text: str) -> Decorator:
    """`--artifact FILE`."""
    path = click.Path(path_type=Path, exists=True, dir_okay=False)
    return click.option("--artifact", cls=Place, metavar="FILE", type=path, help=text)


def cluster() -> Decorator:
    """`--context`, `--namespace`, `--kubeconfig`, as kubectl's; `--namespace` may be repeated (`namespaces`)."""
    path = click.Path(path_type=Path, exists=True, dir_okay=False)
    options = (
        click.option(
            "--context", cls=Place, metavar="NAME", help="The kubeconfig's context  [default: its current one]."
        ),
        click.option(
            "--namespace",
            "namespaces",
            cls=Place,
            metavar="NAME",
            multiple=True,
            help="This namespace only; repeatable  [default: all].",
        ),
        click.option(
            "--kubeconfig", cls=Place, metavar="FILE", type=path, help="The kubeconfig  [default: as kubectl finds it]."
        ),
    )

    def add(command: Function) -> Function:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def alias(spelling: str, parameter: str, *, of: str, required: bool = False, **attributes: Any) -> Decorator:
    """A hidden option or argument whose value the function gets as `parameter`, which `of` gives too.

    On a command line either may stand, not both. `required`: one of the two must be given.
    """
    slot = f"former_{parameter}"

    def add(command: Function) -> Function:
        @wraps(command)
        def run(**given: Any) -> Any:
            ctx, former = click.get_current_context(), given.pop(slot)
            sources = ctx.get_parameter_source(parameter), ctx.get_parameter_source(slot)
            if sources == (ParameterSource.COMMANDLINE, ParameterSource.COMMANDLINE):
                raise click.UsageError(f"{spelling} is another word for {of}: give one of them")
            if former is not None and sources[0] is not ParameterSource.COMMANDLINE:
                given[parameter] = former
            if required and given[parameter] is None:
                raise click.UsageError(f"{of} is missing")
            return command(**given)

        if not spelling.startswith("-"):
            return click.argument(slot, cls=AliasArgument, required=False, metavar=spelling, **attributes)(run)
        text = f"Alias of {of}."
        return click.option(spelling, slot, cls=Alias, hidden=True, help=text, **attributes)(run)

    return add


EXCLUSIVE = ("--dir", "--url", "--artifact")
"""The places of which a command line names one."""


def chosen_place(ctx: click.Context) -> str:
    """The one of EXCLUSIVE that the command line names; else that of an environment variable; else that of a default.
    Raises click.UsageError for two of equal rank.
    """
    places = {option.opts[0]: option for option in ctx.command.params if option.opts[0] in EXCLUSIVE}
    for source in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT, ParameterSource.DEFAULT):
        found = [
            spelling
            for spelling, option in places.items()
            if ctx.get_parameter_source(str(option.name)) is source and ctx.params[str(option.name)] is not None
        ]
        if len(found) > 1:
            raise click.UsageError(f"{' and '.join(found)} are two places: name one of them")
        if found:
            return found[0]
    raise click.UsageError(f"a place is needed: {', '.join(places)}")
