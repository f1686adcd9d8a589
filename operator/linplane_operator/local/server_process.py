"""The server process of local mode. The app holds its listening sockets, so a restart refuses no connection."""

import asyncio
import contextlib
import json
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from linplane_api import names
from linplane_api.canonical import FormatError
from linplane_api.kinds import CONFIG_MAP, DEPLOYMENT, MODEL_SERVER, POD, REPLICA_REPORT
from linplane_api.resources import ModelServerSpec, parse_spec
from linplane_api.routing import routing_map
from linplane_api.routing_folder import current_state, read_routing, write_routing
from linplane_api.timing import Backoff, rfc3339

from ..compile.objects import Object, generation_of, uid_of
from ..compile.server import ServerArguments, make_routing, server_arguments
from ..compile.services import selector
from ..compile.settings import Settings
from .child_process import format_exit, start_child, stop_child
from .console_events import Line, Notify
from .state_dir import StateDir
from .store import Store

GRACEFUL_SECONDS = 3  # for requests in flight at the stop
STOP_SECONDS = GRACEFUL_SECONDS + 3.0
RESTART = Backoff(0.1, 5.0)
STEADY_SECONDS = 10.0  # a process that lasts this long resets the backoff


@dataclass(frozen=True)
class Access:
    """The listening sockets, the token for admin calls from other machines, and host and port of gRPC, if it is on."""

    public: socket.socket
    admin: socket.socket
    token_file: Path | None = None
    grpc: tuple[str, int] | None = None


class ServerProcess:
    """Keeps the process of one ModelServer running, its configuration folder up to date, and its pod and report in the
    store.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - its collaborators
        self,
        state_dir: StateDir,
        store: Store,
        access: Access,
        settings: Settings,
        now: Callable[[], datetime],
        notify: Notify,
        log_level: str = "info",
    ) -> None:
        """`log_level` is the server's."""
        self._log_level = log_level
        self._state_dir = state_dir
        self._folder = state_dir.server(names.DEFAULT_SERVER)
        self._store = store
        self._access = access
        self._settings = settings
        self._now = now
        self._notify = notify
        self._process: asyncio.subprocess.Process | None = None
        self._pod = ""
        self._arguments: ServerArguments | None = None  # of the process; None while none is desired
        self._counted = (0, 0)  # running and ready processes
        self._written: tuple[str, str] = ("", "")
        self._reported = b""
        self._troubled = False

    def restore_routing(self) -> None:
        """Recreates a lost routing ConfigMap, with its memory of last good versions, from the server's copy of it."""
        owner = self._store.get(MODEL_SERVER, names.DEFAULT_SERVER)
        state = current_state(self._folder / "config")
        if owner is None or state is None:
            return
        try:
            routing = read_routing(self._folder / "config", state)
        except (OSError, FormatError):
            return
        self._store.create(CONFIG_MAP, make_routing(owner, routing.to_data()), routing.uid)

    def write_config(self) -> None:
        """Writes the routing ConfigMap to the folder that the server watches, if it changed. Raises OSError."""
        body = self._store.get(CONFIG_MAP, names.routing_name(names.DEFAULT_SERVER))
        if body is None:
            return
        routing = routing_map(uid_of(body), body.get("data") or {})
        state = (routing.uid, json.dumps(routing.to_data()))
        if state != self._written:
            self._state_dir.make(self._folder)
            write_routing(self._folder / "config", routing)
            self._written = state

    def rewrite_config(self) -> None:
        """Writes it after the folder was lost. Raises OSError."""
        self._written = ("", "")
        self.write_config()

    def sync(self) -> None:
        """Reads a new report of the process; restarts the process if its arguments changed."""
        if self._process is not None and self._arguments not in (None, self._desired_arguments()):
            self._arguments = None
            self._process.terminate()
        self._write_counts()
        if not self._pod:
            return
        try:
            data = self._report_file().read_bytes()
        except OSError:
            return
        if data != self._reported:
            self._accept_report(data)
            self._reported = data

    async def run(self) -> None:
        """Starts the process whenever the Deployment exists and no process runs; never returns."""
        failures = 0
        self._count_pod(running=0, ready=0)  # the stored status is of an earlier run
        while True:
            while (arguments := self._desired_arguments()) is None:  # noqa: ASYNC110 - the store has no event to wait for
                await asyncio.sleep(0.02)
            begun = asyncio.get_running_loop().time()
            try:
                process = await self._start(arguments)
                code: int | None = await process.wait()
                why = f"ended with {format_exit(code)}"
            except OSError as error:
                code, why = None, f"could not start: {error}"
            self._gone()
            lived = asyncio.get_running_loop().time() - begun
            if self._arguments is None:  # changed, or no server is desired any more
                failures = 0
                continue
            failures = 1 if lived > STEADY_SECONDS else failures + 1
            wait = RESTART.delay(failures)
            text = f"the server {why}; restarting in {wait:g} s (its log is {self._folder / 'log'})"
            self._notify(Line("warning", text, "warning"))
            self._troubled = True
            await asyncio.sleep(wait)

    async def stop(self, hurry: asyncio.Event) -> None:
        """Stops the process after its requests in flight; at once on `hurry`."""
        if self._process is not None:
            await stop_child(self._process, STOP_SECONDS, hurry)
        with contextlib.suppress(OSError):
            self._report_file().unlink(missing_ok=True)

    def _desired_arguments(self) -> ServerArguments | None:
        """The arguments of the ModelServer; None until its Deployment exists, so that no refused server starts."""
        server = self._store.get(MODEL_SERVER, names.DEFAULT_SERVER)
        if server is None or self._deployment() is None:
            return None
        return server_arguments(names.DEFAULT_SERVER, parse_spec(server, ModelServerSpec), self._settings)

    def _deployment(self) -> Object | None:
        return self._store.get(DEPLOYMENT, names.server_name(names.DEFAULT_SERVER))

    async def _start(self, arguments: ServerArguments) -> asyncio.subprocess.Process:
        self._arguments = arguments
        self._pod = f"{names.server_name(names.DEFAULT_SERVER)}-{secrets.token_hex(3)}"
        uid = uid_of(self._store.create(POD, self._make_pod()))
        self._count_pod(running=1, ready=0)
        self._reported = b""
        fds = (self._access.public.fileno(), self._access.admin.fileno())
        args = [
            *("--config", str(self._folder / "config"), "--state", str(self._state_dir.root), "--single-route"),
            *("--public-fd", str(fds[0]), "--admin-fd", str(fds[1])),
            *("--report", str(self._report_file()), "--pod-name", self._pod, "--pod-uid", uid),
            *("--graceful-seconds", str(GRACEFUL_SECONDS)),
            *("--log-level", self._log_level),
            *arguments.identity(),
            *arguments.options(),
        ]
        if self._access.grpc:
            host, port = self._access.grpc
            args += ["--host", host, "--grpc-port", str(port)]
        if self._access.token_file:
            args += ["--admin-token-file", str(self._access.token_file)]
        self._state_dir.make(self._folder / "config")
        self._process = await start_child("linplane_server", [*args, "--exit-with-stdin"], self._folder / "log", fds)
        return self._process

    def _make_pod(self) -> Object:
        started = rfc3339(self._now())
        status = {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "False"}],
            "containerStatuses": [{"name": names.SERVER_CONTAINER, "state": {"running": {"startedAt": started}}}],
        }
        metadata = {"name": self._pod, "labels": selector(names.DEFAULT_SERVER)}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status}

    def _report_file(self) -> Path:
        return self._folder / f"report-{self._pod}.json"

    def _accept_report(self, data: bytes) -> None:
        pod = self._store.get(POD, self._pod)
        try:
            report = json.loads(data)
        except ValueError:
            return
        if pod is None:
            return
        owner = {"kind": "Pod", "name": self._pod, "uid": uid_of(pod)}
        body = {
            "apiVersion": names.API_VERSION,
            "kind": REPLICA_REPORT.kind,
            "metadata": {"name": self._pod, "ownerReferences": [owner]},
            "report": report,
        }
        before = self._store.get(REPLICA_REPORT, self._pod)
        if before:
            self._store.update(REPLICA_REPORT, before, {**body, "metadata": {**before["metadata"]}})
        else:
            self._store.create(REPLICA_REPORT, body)
        ready = [{"type": "Ready", "status": "True"}]
        self._store.update(POD, pod, {**pod, "status": {**pod["status"], "conditions": ready}})
        self._count_pod(running=1, ready=1)
        if self._troubled:
            self._troubled = False
            self._notify(Line("server", "answers again", "good"))

    def _count_pod(self, *, running: int, ready: int) -> None:
        self._counted = (running, ready)
        self._write_counts()

    def _write_counts(self) -> None:
        """Sets the status of the Deployment like its controller; the generation is observed once its process runs."""
        body = self._deployment()
        if body is None:
            return
        running, ready = self._counted
        is_current = self._arguments is not None and self._arguments == self._desired_arguments()
        observed = generation_of(body) if running and is_current else 0
        counts = {"replicas": running, "updatedReplicas": running, "readyReplicas": ready}
        self._store.update(DEPLOYMENT, body, {**body, "status": {"observedGeneration": observed, **counts}})

    def _gone(self) -> None:
        self._process = None
        self._count_pod(running=0, ready=0)
        for kind in (REPLICA_REPORT, POD):
            body = self._store.get(kind, self._pod)
            if body is not None:
                self._store.delete(kind, body)
        with contextlib.suppress(OSError):
            self._report_file().unlink(missing_ok=True)
        self._pod = ""
