"""The app of `linplane local`: polls the manifests, reconciles, runs trainers and the server, until stopped."""

import asyncio
import contextlib
import errno
import json
import os
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from linplane_api import names
from linplane_api.files import write_atomically
from linplane_api.kinds import CONFIG_MAP, JOB, LINEAR_MODEL, Kind

from ..compile.objects import Object, label_of
from ..compile.outcome import Result
from ..compile.settings import Mode, Settings
from ..observe.cache import ObjectCache
from ..reconcile.reconciler import Reconciler
from ..runtime.enqueue import WorkKey, every_key, keys_for_change
from ..runtime.workqueue import WorkQueue
from .admission import load_rules
from .attempts import Attempts, format_error
from .client import LocalClient
from .console_events import ConsoleEvents, Line, Notify, curl_line
from .job_runner import JobRunner
from .manifests import Manifests
from .preflight import (
    BIND_SECONDS,
    acquire_state,
    check_folder,
    check_token,
    format_address,
    free_address,
    listen,
    make_state,
    url_of,
)
from .retained_artifacts import RetainedArtifacts
from .server_process import Access, ServerProcess
from .state_dir import StateDir
from .store import Store
from .training_log import TrainingLog

POLL_SECONDS = 0.03
RETRY_SECONDS = 1.0  # between retries after an error of the disk
RESYNC_SECONDS = 30.0
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Options:
    """The options of `linplane local`."""

    folder: Path
    state: Path
    host: str = "127.0.0.1"
    port: int = names.PUBLIC_PORT
    admin_port: int = names.ADMIN_PORT
    grpc_port: int | None = None
    token_file: Path | None = None
    allowed_hosts: tuple[str, ...] = ()
    public_names: bool = True
    trainers: int | None = None
    max_body_bytes: int | None = None
    root_path: str | None = None
    log_level: str = "info"


def cores() -> int:
    """The number of CPU cores this process may use, or on macOS, of all cores."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def utc_now() -> datetime:
    """The current time."""
    return datetime.now(UTC)


class App:
    """All parts of one `linplane local` process."""

    def __init__(self, options: Options, notify: Notify, now: Callable[[], datetime] = utc_now) -> None:
        """`notify` is called with each line for the user."""
        self._options = options
        self._notify = notify
        self._now = now
        self._state_dir = StateDir(
            options.state.resolve()
        )  # once: the folder that it may lie in may be a link that is swapped
        self._cache = ObjectCache()
        self._store = Store(self._state_dir, self._cache, now, self._changed)
        self._console_events = ConsoleEvents(notify, lambda route: curl_line(route, self._store))
        self._queue = WorkQueue(self._work, self._failed, random.random)
        self._retained = RetainedArtifacts(self._state_dir, self._store, now, notify)
        self._manifests = Manifests(options.folder, self._store, self._retained, notify)
        self._training_log = TrainingLog(self._state_dir.metadata)
        self._attempts = Attempts(notify, {"jobs", "config", "problems"})
        self._failures: dict[WorkKey, str] = {}
        self._stop, self._hurry = asyncio.Event(), asyncio.Event()

    async def run(self, started: Callable[[str, str, str | None], None]) -> None:
        """Runs until SIGINT, SIGTERM or SIGHUP; a second signal stops it at once. `started` is called with the two
        URLs, and the address of gRPC. Raises StartError, and OSError if the disk fails at the start.
        """
        check_folder(self._options.folder)
        check_token(self._options.token_file)
        self._lock, unclean = acquire_state(self._state_dir, self._options.folder)
        with contextlib.ExitStack() as stack:
            stack.callback(self._unlock)
            patience = BIND_SECONDS if unclean else 0.0
            public = stack.enter_context(await listen(self._options.host, self._options.port, patience))
            admin = stack.enter_context(await listen(self._options.host, self._options.admin_port, patience))
            grpc = await free_address(self._options.host, self._options.grpc_port, patience)
            for number in SIGNALS:
                asyncio.get_running_loop().add_signal_handler(number, self._stop_requested)
            stack.callback(_ignore_signals)
            self._admin_url = url_of(admin)
            self._prepare(Access(public, admin, self._options.token_file, grpc), url_of(public))
            started(url_of(public), url_of(admin), format_address(*grpc) if grpc else None)
            await self._serve()

    def _unlock(self) -> None:
        with self._lock:
            self._lock.truncate(0)

    def _stop_requested(self) -> None:
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    def _prepare(self, access: Access, url: str) -> None:
        settings = Settings(
            allowed_hosts=self._options.allowed_hosts,
            public_names=self._options.public_names,
            max_body_bytes=self._options.max_body_bytes,
            root_path=self._options.root_path,
            max_replicas=1,
            servers=(names.DEFAULT_SERVER,),
            mode=Mode.LOCAL,
        )
        self._reconciler = Reconciler(
            self._cache, LocalClient(self._store, url, self._notify), settings, now=self._now, enqueue=self._enqueue
        )
        slots = self._options.trainers or cores()
        self._job_runner = JobRunner(
            self._state_dir,
            self._store,
            settings,
            slots=slots,
            now=self._now,
            notify=self._notify,
            secret=self._manifests.secret,
            log_level=self._options.log_level,
        )
        self._server = ServerProcess(
            self._state_dir, self._store, access, settings, self._now, self._notify, self._options.log_level
        )
        self._state_dir.sweep()
        self._write_admin_url()
        damaged = self._store.load()
        self._retained.load()
        for (kind, name), place in damaged.items():
            self._notify(Line("damaged", f"the state of {kind} {name} is damaged, moved to {place}", "warning"))
        if (CONFIG_MAP.kind, names.routing_name(names.DEFAULT_SERVER)) in damaged:
            self._server.restore_routing()
        self._server.write_config()
        for body in self._cache.all(LINEAR_MODEL):
            self._console_events.remember(LINEAR_MODEL, body)
        for body in self._cache.all(CONFIG_MAP):
            self._training_log.note(body)

    async def _serve(self) -> None:
        tasks = [asyncio.create_task(self._server.run())]  # first: it can serve before any manifest is read
        stopping = asyncio.create_task(_until(self._stop))
        try:
            warming = asyncio.create_task(asyncio.to_thread(load_rules))
            while not self._stop.is_set() and not self._first_poll():  # noqa: ASYNC110 - files have no event
                await asyncio.sleep(POLL_SECONDS)
            tasks += [asyncio.create_task(work) for work in (self._queue.run(), self._watch(), self._resync())]
            await warming
            await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            for task in (*tasks, stopping):
                task.cancel()
            await asyncio.gather(*tasks, stopping, return_exceptions=True)
            await self._job_runner.stop()
            await self._server.stop(self._hurry)

    def _first_poll(self) -> bool:
        """True once every manifest was read. Nothing is decided earlier: any file may define a lost object."""
        self._poll_manifests()
        return self._manifests.settled or bool(self._attempts.failing)

    async def _watch(self) -> None:
        """Polls the manifests and the processes; failed actions are reported and retried."""
        while True:
            self._poll_manifests()
            self._attempts.run("state", self._keep_state)
            self._attempts.run_due("rewrite", self._rewrite_state)
            self._attempts.run_due("jobs", self._job_runner.sync)
            self._attempts.run_due("config", self._server.write_config)
            self._attempts.run_due("problems", self._write_problems)
            self._attempts.run("server", self._server.sync)
            self._attempts.run("metadata", self._training_log.write)
            self._attempts.run("retained", self._retained.expire)
            await asyncio.sleep(RETRY_SECONDS if self._attempts.failing else POLL_SECONDS)

    def _poll_manifests(self) -> None:
        if self._attempts.run("manifests", self._manifests.poll):
            self._attempts.due.add("problems")

    def _keep_state(self) -> None:
        """Recreates the state folder if it was lost with an earlier folder of manifests. Raises OSError while that
        folder is missing as well: it may come back with the state in it.
        """
        root = self._state_dir.root
        if root.is_dir():
            return
        if not self._manifests.believed:
            raise FileNotFoundError(
                errno.ENOENT, "the state folder is missing; changes wait until it is back", str(root)
            )
        make_state(root)
        before = self._lock
        self._lock, _ = acquire_state(self._state_dir, self._options.folder)
        before.close()
        self._attempts.due.add("rewrite")

    def _write_admin_url(self) -> None:
        write_atomically(self._state_dir.admin, self._admin_url.encode())

    def _rewrite_state(self) -> None:
        self._write_admin_url()
        self._store.write_all()
        self._server.rewrite_config()
        for body in self._cache.all(CONFIG_MAP):
            self._training_log.note(body)
        self._attempts.due.add("problems")
        self._notify(
            Line("warning", f"the state folder {self._state_dir.root} was missing and has been recreated", "warning")
        )

    async def _resync(self) -> None:
        while True:
            self._queue.add(every_key(self._cache))
            await asyncio.sleep(RESYNC_SECONDS)

    def _changed(self, kind: Kind, before: Object | None, after: Object | None) -> None:
        body = after or before or {}
        if kind is JOB:
            self._attempts.due.add("jobs")
        if kind is CONFIG_MAP and label_of(body, names.LABEL_SERVER):
            self._attempts.due.add("config")
        if kind is CONFIG_MAP and after:
            self._training_log.note(after)
        self._console_events.changed(kind, before, after)
        self._queue.add(keys_for_change(self._cache, kind, before, after))

    def _enqueue(self, key: WorkKey) -> None:
        self._queue.add((key,))

    async def _work(self, key: WorkKey) -> Result:
        result = await self._reconciler.reconcile(key)
        self._failures.pop(key, None)
        return result

    def _failed(self, key: WorkKey, error: Exception) -> None:
        text = f"{key[0]} {key[2]}: {format_error(error)}; retrying"
        if self._failures.get(key) != text:
            self._notify(Line("warning", text, "warning"))
        self._failures[key] = text

    def _write_problems(self) -> None:
        problems = [
            {"file": p.file, "line": p.line, "field": p.field, "message": p.message} for p in self._manifests.problems
        ]
        write_atomically(self._state_dir.problems, json.dumps(problems, indent=1).encode())


def _ignore_signals() -> None:
    """After an orderly stop another ^C must not look like a failure."""
    for number in SIGNALS:
        asyncio.get_running_loop().remove_signal_handler(number)
        signal.signal(number, signal.SIG_IGN)


async def _until(event: asyncio.Event) -> None:
    await event.wait()
