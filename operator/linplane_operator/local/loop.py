"""`linplane local DIR`: watches the manifests, reconciles, runs trainers and the server, until it is told to stop."""

import asyncio
import contextlib
import fcntl
import json
import os
import random
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from linplane_api import names
from linplane_api.artifact import parse_artifact
from linplane_api.folder import write_atomically
from linplane_api.kinds import CONFIG_MAP, JOB, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, Kind
from linplane_api.metadata import append_metadata, has_line

from ..affected import WorkKey, affected
from ..compile.objects import Object, Settings, is_deleting, label_of
from ..queue import WorkQueue
from ..reconcile import Reconciler
from ..world import World, key_of
from .cluster import LocalCluster
from .jobs import Jobs
from .layout import Layout
from .manifests import Manifests
from .servers import Access, Server
from .store import Store

LOOK_SECONDS = 0.03
RESYNC_SECONDS = 30.0
BIND_SECONDS = 3.0


class StartError(Exception):
    """The loop cannot start; the text is one line for the person who typed the command."""


@dataclass(frozen=True)
class Options:
    """What `linplane local` was told."""

    folder: Path
    state: Path
    host: str = "127.0.0.1"
    port: int = names.PUBLIC_PORT
    admin_port: int = names.ADMIN_PORT
    token_file: Path | None = None
    allowed_hosts: tuple[str, ...] = ()
    trainers: int | None = None


def utc_now() -> datetime:
    """The clock."""
    return datetime.now(UTC)


def take_lock(layout: Layout) -> tuple[IO[str], bool]:
    """The state folder for this process alone, and whether an earlier loop ended without giving it back. Raises
    StartError.
    """
    try:
        layout.root.mkdir(parents=True, exist_ok=True)
        file = layout.lock.open("a+", encoding="utf-8")
    except OSError as error:
        raise StartError(f"state folder {layout.root}: {error.strerror}; use --state for another") from error
    file.seek(0)
    holder = file.read().strip()
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise StartError(f"state folder {layout.root} is in use by process {holder or 'unknown'}") from error
    file.seek(0)
    file.truncate()
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file, bool(holder)


async def listen(host: str, port: int, patience: float) -> socket.socket:
    """A listening socket; waits up to `patience` seconds for a port that is about to be given back. Raises
    StartError.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    deadline = asyncio.get_running_loop().time() + patience
    while True:
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
            sock.listen(2048)
            sock.setblocking(False)
        except (OSError, OverflowError) as error:
            sock.close()
            if asyncio.get_running_loop().time() < deadline:
                await asyncio.sleep(0.05)
                continue
            why = getattr(error, "strerror", None) or str(error)
            raise StartError(f"{host}:{port}: {why}; choose another with --host, --port, --admin-port") from error
        return sock


class Loop:
    """Everything of one `linplane local`."""

    def __init__(self, options: Options, tell: Callable[[str], None], now: Callable[[], datetime] = utc_now) -> None:
        """`tell` gets what a person should read, a line at a time."""
        self._options = options
        self._tell = tell
        self._now = now
        self._layout = Layout(options.state)
        self._world = World()
        self._store = Store(self._layout, self._world, now, self._changed)
        self._queue = WorkQueue(self._work, self._failed, random.Random())  # noqa: S311 - spreads retries
        self._manifests = Manifests(options.folder, self._store, tell)
        self._jobs_changed = True
        self._config_changed = True

    async def run(self, started: Callable[[str, str], None]) -> None:
        """Runs until SIGINT or SIGTERM. `started` gets the two URLs. Raises StartError, and what the disk refuses
        as OSError.
        """
        try:
            next(self._options.folder.iterdir(), None)
        except OSError as error:
            raise StartError(f"folder {self._options.folder}: {error.strerror}") from error
        lock, unclean = take_lock(self._layout)
        with lock, contextlib.ExitStack() as stack:
            patience = BIND_SECONDS if unclean else 0.0
            public = stack.enter_context(await listen(self._options.host, self._options.port, patience))
            admin = stack.enter_context(await listen(self._options.host, self._options.admin_port, patience))
            urls = [f"http://{_shown(sock)}" for sock in (public, admin)]
            await self._serve(Access(public, admin, self._options.token_file), urls, started)
            lock.seek(0)
            lock.truncate()

    async def _serve(self, access: Access, urls: list[str], started: Callable[[str, str], None]) -> None:
        settings = Settings(
            allowed_hosts=self._options.allowed_hosts,
            max_replicas=1,
            file_uris=True,
            claims=False,
            servers=(names.DEFAULT_SERVER,),
        )
        cluster = LocalCluster(self._store, urls[0], self._record, self._tell)
        self._reconciler = Reconciler(self._world, cluster, settings, now=self._now)
        slots = self._options.trainers or len(os.sched_getaffinity(0))
        self._jobs = Jobs(self._layout, self._store, slots, self._now)
        self._server = Server(self._layout, self._store, access, self._now)
        for path in self._store.load():
            self._tell(f"damaged, and left alone: {path}")
        self._store.collect_orphans()
        for body in self._world.all(CONFIG_MAP):
            self._record(body)
        self._write_problems()
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        started(urls[0], urls[1])
        tasks: list[asyncio.Task[None]] = [
            asyncio.create_task(work) for work in (self._queue.run(), self._watch(), self._resync(), self._server.run())
        ]
        stopping = asyncio.create_task(_until(stop))
        try:
            await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            for task in (*tasks, stopping):
                task.cancel()
            await asyncio.gather(*tasks, stopping, return_exceptions=True)
            await self._jobs.stop()
            await self._server.stop()

    async def _watch(self) -> None:
        """Looks at the manifests and the processes; the only place that waits for neither."""
        while True:
            if self._manifests.look():
                self._write_problems()
            if self._jobs_changed:
                self._jobs_changed = False
                self._jobs.look()
            if self._config_changed:
                self._config_changed = False
                self._server.write_config()
            self._server.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def _resync(self) -> None:
        while True:
            kinds = (LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER)
            self._queue.add((kind.kind, *key_of(body)) for kind in kinds for body in self._world.all(kind))
            await asyncio.sleep(RESYNC_SECONDS)

    def _changed(self, kind: Kind, before: Object | None, after: Object | None) -> None:
        if kind is JOB:
            self._jobs_changed = True
        if kind is CONFIG_MAP and label_of(after or before or {}, names.LABEL_SERVER):
            self._config_changed = True
        self._queue.add(affected(self._world, kind, before, after))

    async def _work(self, key: WorkKey) -> float | None:
        return await self._reconciler.reconcile(key)

    def _failed(self, key: WorkKey, error: Exception) -> None:
        self._tell(f"Warning {key[0]} {key[2]}: {type(error).__name__}: {error}; tried again")

    def _record(self, artifact: Object) -> None:
        """One line in metadata.jsonl for each version that was trained."""
        text = (artifact.get("data") or {}).get(names.ARTIFACT_KEY)
        model, version = (label_of(artifact, label) for label in (names.LABEL_MODEL, names.LABEL_VERSION))
        if not (text and artifact.get("immutable") and model and version) or is_deleting(artifact):
            return
        file = parse_artifact(text)
        if file.artifact.training and not has_line(self._layout.metadata, model, version, file.digest):
            append_metadata(self._layout.metadata, file, model, version)

    def _write_problems(self) -> None:
        problems = [
            {"file": p.file, "line": p.line, "field": p.field, "message": p.message} for p in self._manifests.problems
        ]
        write_atomically(self._layout.problems, json.dumps(problems, indent=1).encode())


async def _until(event: asyncio.Event) -> None:
    await event.wait()


def _shown(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
