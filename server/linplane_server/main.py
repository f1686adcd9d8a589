"""The program: connects the parts and runs them."""

import argparse
import asyncio
import contextlib
import logging
import os
import resource
import socket
import time
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

import uvloop

from linplane_api import logs

from . import options
from .admin.endpoint import AdminEndpoint
from .environment import make_environment
from .http.admin_app import admin_app
from .http.docs import docs_app
from .http.fast_path import FastPath
from .http.lifecycle import Process, watch_stdin
from .http.listener import Listener, inherited, listen
from .http.metrics import ServerCollector, metrics_registry
from .http.protocol import Guard
from .http.public_app import PublicApp
from .http.public_document import document
from .http.public_pages import PublicPages, public_pages
from .http.status import Status
from .predict.client_identity import ClientIdentity
from .predict.predictor import Predictor
from .routing.updater import RoutingUpdater
from .settings import Limits, Public, Shutdown
from .state.readiness import Readiness
from .state.serving import new_serving
from .turns import Turns

if TYPE_CHECKING:
    from .grpc.listener import GrpcListener

ADMIN_GRACEFUL = 0.5
"""Seconds that pending admin calls get at shutdown; predictions have ended by then."""

_log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs until a signal stops it, and returns the exit status."""
    args = options.parse(arguments)
    logs.configure(level=logs.LEVELS[args.log_level])
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # at lower levels it logs every malformed request
    _raise_descriptor_limit()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(_serve(args))
        except (OSError, ValueError) as error:
            _log.critical("cannot start", extra={"reason": str(error)})
            return 1
    return 0


async def _serve(args: argparse.Namespace) -> None:
    limits = options.group_of(args, Limits)
    shutdown = options.group_of(args, Shutdown)
    face = Public(args.public_names, args.root_path)
    serving = new_serving(time.monotonic_ns)
    readiness = Readiness(serving.store)
    environment = make_environment(args, serving)
    updater = RoutingUpdater(serving, environment.acknowledge, time.time, environment.save)
    identity = ClientIdentity(args.trusted_proxy)
    predictor = Predictor(
        serving,
        identity,
        time.perf_counter,
        os.urandom(6).hex(),
        single_route=args.single_route,
        public_names=face.names,
    )
    public_guard, admin_guard = Guard(limits, face.root_path), Guard(limits)
    software = version("linplane")
    pages = public_pages(serving.store, readiness.unready, limits.body_bytes, software, face)
    docs = docs_app(lambda: document(software, pages.table, names=face.names))
    app = PublicApp(predictor, pages, docs, limits, public_guard.budget, face.root_path)
    fast_path = FastPath(predictor.respond, predictor.count_incomplete, limits.body_bytes, face.root_path)
    connections = fast_path.protocol(public_guard) if args.fast_path else public_guard.protocol()
    public = Listener(app, connections, shutdown.graceful_seconds)
    collector = metrics_registry(ServerCollector(serving, environment.source))
    status = Status(serving, readiness, args.pod_name, args.server_name, environment.source)
    endpoint = AdminEndpoint(environment.access, environment.connect, serving.store)
    admin = Listener(admin_app(readiness, collector, status, endpoint), admin_guard.protocol(), ADMIN_GRACEFUL)
    public_socket = _socket(args.public_fd, args.host, args.port)
    admin_socket = _socket(args.admin_fd, args.admin_host, args.admin_port)
    grpc = _grpc(args, predictor, pages, readiness, limits, app.turns) if args.grpc_port is not None else None
    guards = [public_guard, admin_guard]
    process = Process((public, public_socket), (admin, admin_socket), guards, readiness, shutdown)
    process.other = grpc
    if args.exit_with_stdin:
        watch_stdin(process)
    _log.info(
        "started",
        extra={
            "public": _address(public_socket),
            "admin": _address(admin_socket),
            **({"grpc": grpc.address} if grpc else {}),
            "server": args.server_name,
            "pod": args.pod_name,
        },
    )
    await process.run(*environment.background(updater))


def _grpc(  # noqa: PLR0913, PLR0917 - what the listener works with
    args: argparse.Namespace,
    predictor: Predictor,
    pages: PublicPages,
    readiness: Readiness,
    limits: Limits,
    turns: Turns,
) -> "GrpcListener":
    """Returns the listener of gRPC on its port. Raises OSError, or ValueError without gRPC's libraries."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # else any client can make its core write lines between ours
    try:
        from .grpc.listener import GrpcListener  # noqa: PLC0415 - 15 MB, for servers whose gRPC is on
    except ModuleNotFoundError as error:
        raise ValueError(f'gRPC needs {error.name}, which is not installed: install "linplane[grpc]"') from error
    listen(args.host, args.grpc_port).close()  # raises the cause if the port is in use; gRPC knows none
    return GrpcListener(predictor, pages.answer, readiness, limits, turns, (args.host, args.grpc_port))


def _socket(number: int | None, host: str, port: int) -> socket.socket:
    return listen(host, port) if number is None else inherited(number)


def _address(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _raise_descriptor_limit() -> None:
    """Raises the soft limit on file descriptors to the hard one: each connection takes one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
