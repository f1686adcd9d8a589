"""The command line: `python -m linplane_server --config DIR`."""

import argparse
import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from linplane_api import logs
from linplane_api.names import ADMIN_PORT, DEFAULT_SERVER, PUBLIC_PORT

from .predict.client_identity import parse_networks
from .settings import Limits, Shutdown

Group = TypeVar("Group", Limits, Shutdown)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parses `arguments`, or those of the process. Exits with status 2 and a message if they are invalid."""
    parser = argparse.ArgumentParser(
        "linplane_server", description="Serves predictions according to routing documents.", allow_abbrev=False
    )
    add = parser.add_argument
    add(
        "--config",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of the routing documents; in a cluster, of the local copy of them",
    )
    add(
        "--server-name",
        default=DEFAULT_SERVER,
        metavar="NAME",
        help="name of the ModelServer that this process is a replica of",
    )
    add(
        "--host",
        default="127.0.0.1",
        help="address that predictions are served on (default %(default)s; `::` is every address)",
    )
    add("--port", type=int, default=PUBLIC_PORT, metavar="N", help="port of predictions (default %(default)s)")
    add(
        "--admin-host",
        default="127.0.0.1",
        help="address of probes, metrics and admin calls (default %(default)s)",
    )
    add("--admin-port", type=int, default=ADMIN_PORT, metavar="N", help="their port (default %(default)s)")
    add("--grpc-port", type=int, metavar="N", help="port of gRPC, on the address of predictions (default: no gRPC)")
    add("--public-fd", type=int, metavar="N", help="an inherited listening socket to use instead of host and port")
    add("--admin-fd", type=int, metavar="N", help="the same for probes, metrics and admin calls")
    add("--report", type=Path, metavar="FILE", help="file to write the report of what is loaded to")
    add("--pod-name", default="", metavar="NAME", help="this replica's name in the logs and in /status")
    add("--pod-uid", default="", metavar="UID", help="UID of this replica's pod, for its report")
    add(
        "--state",
        type=Path,
        metavar="DIR",
        help="state folder of local mode; turns on admin calls, which change manifests",
    )
    add(
        "--single-route",
        action="store_true",
        help="if there is just one route, it also answers requests whose Host names no route",
    )
    add(
        "--admin-token-file",
        type=Path,
        metavar="FILE",
        help="file of a bearer token; admin calls then require it, and are accepted from any address",
    )
    add(
        "--trusted-proxy",
        type=_networks,
        action="extend",
        default=[],
        metavar="CIDR",
        help="network of proxies whose X-Forwarded-For is trusted; repeatable",
    )
    add(
        "--no-public-names",
        dest="public_names",
        action="store_false",
        help="show the names of routes, versions and features in no list, description or refusal, and ignore "
        "--single-route",
    )
    add(
        "--root-path",
        type=_root_path,
        default="",
        metavar="PATH",
        help="prefix that a proxy has before every path of predictions, such as /scoring; requests may come with or "
        "without it",
    )
    add(
        "--no-fast-path",
        dest="fast_path",
        action="store_false",
        help="answer every prediction by the ASGI application, for a comparison: the answers are the same, and slower",
    )
    _add_cluster(parser)
    add("--exit-with-stdin", action="store_true", help="stop when standard input ends")
    add("--log-level", choices=logs.LEVELS, default="info", help="lowest level that is logged (default %(default)s)")
    for group in (Limits, Shutdown):
        _add_group(parser, group)
    args = parser.parse_args(arguments)
    _check(parser, args)
    return args


def _add_cluster(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("in a cluster")
    add = group.add_argument
    add("--kubernetes", action="store_true", help="read routing documents from the API server, and report to it")
    add("--namespace", metavar="NAME", help="namespace of both (default: the service account's)")
    add("--api-url", metavar="URL", help="URL of the API server (default: that of the pod's cluster)")
    add("--api-ca", type=Path, metavar="FILE", help="certificates of its authorities (default: the service account's)")
    add(
        "--api-token-file",
        type=Path,
        metavar="FILE",
        help="file of this server's token (default: the service account's)",
    )


def _check(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    if args.body_bytes > args.in_flight_bytes:
        parser.error("--body-bytes is over --in-flight-bytes, what is held of all bodies together")
    if not args.kubernetes:
        return
    if not (args.pod_name and args.pod_uid):
        parser.error("--kubernetes requires --pod-name and --pod-uid, which identify the replica in its report")
    for name in ("report", "state", "admin_token_file"):
        if getattr(args, name):
            parser.error(f"--kubernetes and --{name.replace('_', '-')} are mutually exclusive")


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
    """Returns one group of settings from the parsed arguments."""
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


def _root_path(text: str) -> str:
    if text and not _is_root_path(text):
        raise argparse.ArgumentTypeError("is not a path such as /scoring")
    return text.removesuffix("/")


_is_root_path = re.compile(r"(/[A-Za-z0-9._~-]+)+/?|/").fullmatch


def _networks(text: str) -> list[Any]:
    try:
        return list(parse_networks([text]))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"is not a CIDR: {error}") from error
