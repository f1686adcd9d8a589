"""The command line: `python -m linplane_server --config DIR`."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from linplane_api.names import ADMIN_PORT, DEFAULT_SERVER, PUBLIC_PORT

from .predict.client_identity import parse_networks
from .settings import Limits, Shutdown

Group = TypeVar("Group", Limits, Shutdown)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The arguments, or those of the process. Exits with status 2 and a message where they are wrong."""
    parser = argparse.ArgumentParser(
        "linplane_server", description="Answers predictions by routing documents.", allow_abbrev=False
    )
    add = parser.add_argument
    add(
        "--config",
        type=Path,
        required=True,
        metavar="DIR",
        help="the routing documents; in a cluster, the copy of them",
    )
    add("--server-name", default=DEFAULT_SERVER, metavar="NAME", help="the ModelServer that this is a replica of")
    add("--host", default="127.0.0.1", help="where predictions are taken (default %(default)s; `::` is every address)")
    add("--port", type=int, default=PUBLIC_PORT)
    add(
        "--admin-host",
        default="127.0.0.1",
        help="where probes, metrics and admin calls are taken (default %(default)s)",
    )
    add("--admin-port", type=int, default=ADMIN_PORT)
    add("--public-fd", type=int, metavar="N", help="a listening socket that was handed over, instead of host and port")
    add("--admin-fd", type=int, metavar="N", help="the same for the admin listener")
    add("--report", type=Path, metavar="FILE", help="where to say what is loaded")
    add("--pod-name", default="", metavar="NAME", help="this replica's name in the logs and in /status")
    add("--pod-uid", default="", metavar="UID", help="this replica's identity in its report")
    add("--state", type=Path, metavar="DIR", help="local mode's state folder: admin calls change manifests")
    add("--single-route", action="store_true", help="the only route also answers a Host that names none")
    add(
        "--admin-token-file",
        type=Path,
        metavar="FILE",
        help="admin calls need this bearer token, and are taken from anywhere",
    )
    add(
        "--trusted-proxy",
        type=_networks,
        action="extend",
        default=[],
        metavar="CIDR",
        help="whose X-Forwarded-For counts; repeatable",
    )
    _add_cluster(parser)
    add("--exit-with-stdin", action="store_true", help="stop when standard input ends")
    for group in (Limits, Shutdown):
        _add_group(parser, group)
    args = parser.parse_args(arguments)
    _check(parser, args)
    return args


def _add_cluster(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("in a cluster")
    add = group.add_argument
    add("--kubernetes", action="store_true", help="routing documents come from the API server, reports go there")
    add("--namespace", metavar="NAME", help="where (default: the service account's)")
    add("--api-url", metavar="URL", help="the API server (default: that of the cluster which this pod is in)")
    add("--api-ca", type=Path, metavar="FILE", help="who vouches for it (default: the service account's)")
    add("--api-token-file", type=Path, metavar="FILE", help="this server's token (default: the service account's)")


def _check(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    if not args.kubernetes:
        return
    if not (args.pod_name and args.pod_uid):
        parser.error("--kubernetes needs --pod-name and --pod-uid, by which this replica's report is its own")
    for name in ("report", "state", "admin_token_file"):
        if getattr(args, name):
            parser.error(f"--kubernetes and --{name.replace('_', '-')} exclude each other")


def _add_group(parser: argparse.ArgumentParser, group: type[Limits] | type[Shutdown]) -> None:
    for field in dataclasses.fields(group):
        kind = int if field.type is int else float
        parser.add_argument(
            _flag(field),
            type=_not_negative(kind),
            default=field.default,
            metavar="N",
            help=f"{field.metadata['help']} (default %(default)s)",
        )


def group_of(args: argparse.Namespace, group: type[Group]) -> Group:
    """The values of one group of settings."""
    return group(**{field.name: getattr(args, field.name) for field in dataclasses.fields(group)})


def _flag(field: "dataclasses.Field[Any]") -> str:
    return "--" + field.name.replace("_", "-")


def _not_negative(kind: type[int] | type[float]) -> Any:
    def convert(text: str) -> float:
        value = kind(text)
        if not 0 <= value < 1e9:
            raise argparse.ArgumentTypeError("is negative or too large")
        return value

    convert.__name__ = "number"
    return convert


def _networks(text: str) -> list[Any]:
    try:
        return list(parse_networks([text]))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"is no CIDR: {error}") from error
