"""`linplane local`."""

import re
from pathlib import Path

import click

from . import grammar
from .byte_count import ByteCount
from .output import fail, log_level_option

MAX_BODY = ByteCount(1024, 16 * 1024 * 1024)
"""With the bounds of `linplane_api.resources`, whose import would slow down --help."""

ROOT_PATH = r"(/[A-Za-z0-9._~-]+)+"
ROOT_PATH_LENGTH = 256
"""As in the CRD of ModelServers."""


def _root_path(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:  # noqa: ARG001
    if value is not None and (len(value) > ROOT_PATH_LENGTH or not re.fullmatch(ROOT_PATH, value)):
        raise click.BadParameter(f"{value!r} is not a path such as /scoring, without a slash at its end")
    return value


@click.command(
    epilog="""\b
Example:
  linplane local --dir manifests/examples/penguins
  curl localhost:8080/predict -H content-type:application/json -d '{"features": {"flipper_length_mm": 200}}'
\b
Saving a file again without a change retries what failed in it. ^C stops in order, a second ^C at once.
"""
)
@grammar.folder("The folder of manifests.", default=None, exists=False, required=True, former="DIR")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="Port of predictions.")
@click.option(
    "--admin-port",
    default=8081,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port of status, metrics and admin calls.",
)
@click.option(
    "--grpc-port",
    type=click.IntRange(0, 65535),
    help="Serve the Open Inference Protocol by gRPC on this port, too  [default: off].",
)
@grammar.state()
@click.option(
    "--admin-token-file",
    type=click.Path(path_type=Path),
    help="Require this bearer token for admin calls, and accept them from any address.",
)
@click.option(
    "--allowed-host", multiple=True, help="Allow training data from this host only; repeatable  [default: any]."
)
@click.option(
    "--public-names/--no-public-names",
    default=True,
    show_default=True,
    help="Whether the port of predictions shows the names of routes, versions and features.",
)
@click.option("--trainers", type=click.IntRange(1), help="Number of concurrent trainings  [default: one per core].")
@click.option(
    "--max-body",
    type=MAX_BODY,
    metavar="BYTES",
    help="Largest body of a prediction, such as 4Mi  [default: maxBodyBytes of the ModelServer, else 1Mi].",
)
@click.option(
    "--root-path",
    metavar="PATH",
    callback=_root_path,
    help="Prefix of a proxy before every path of predictions  [default: rootPath of the ModelServer, else none].",
)
@log_level_option
def local(  # noqa: PLR0913, PLR0917 - one parameter per option
    folder: Path,
    host: str,
    port: int,
    admin_port: int,
    grpc_port: int | None,
    state: Path | None,
    admin_token_file: Path | None,
    allowed_host: tuple[str, ...],
    public_names: bool,
    trainers: int | None,
    max_body: int | None,
    root_path: str | None,
    log_level: str,
) -> None:
    """Serve the manifests in a folder on this machine: saving a file is kubectl apply, deleting it kubectl delete.

    `linplane local DIR` is short for `linplane local --dir DIR`.
    """
    import asyncio
    from datetime import datetime

    from linplane_api import logs
    from linplane_operator.local.app import App, Options
    from linplane_operator.local.console_events import Line
    from linplane_operator.local.preflight import StartError

    from .console import Console
    from .extras import check_children

    check_children(grpc=grpc_port is not None)
    logs.configure(level=logs.LEVELS[log_level])
    console = Console(lambda: datetime.now().astimezone())

    def tell(line: Line) -> None:
        console.line(line.word, line.text, line.tone)

    def started(public: str, admin: str, grpc: str | None) -> None:
        more = f", gRPC at {grpc}" if grpc else ""
        tell(Line("serving", f"{folder} at {public}, admin and metrics at {admin}{more}; ^C stops it", "good"))

    options = Options(
        folder=folder,
        state=state or folder / ".linplane",
        host=host,
        port=port,
        admin_port=admin_port,
        grpc_port=grpc_port,
        token_file=admin_token_file.absolute() if admin_token_file else None,
        allowed_hosts=allowed_host,
        public_names=public_names,
        trainers=trainers,
        max_body_bytes=max_body,
        root_path=root_path,
        log_level=log_level,
    )
    try:
        asyncio.run(App(options, tell).run(started))
    except StartError as error:
        fail(str(error), 2)
    except OSError as error:
        fail(f"{error.filename or folder}: {error.strerror or error}", 2)
    tell(Line("stopped", f"{folder}; its state is kept in {options.state}"))
