"""Acknowledges by a ReplicaReport: this pod's own, owned by it, so gone with it.

The newest state is what is written; states in between may be left out. At once, then at most one a second after a
burst of 5. A report that somebody deleted comes back, for it is written again now and then; where nothing changed the
API server writes nothing.

An earlier process of the same pod may have left a report. A process that begins with what that one served (its copy is
kept before it is reported) stands by it; one that begins with nothing says so first, and is not ready before.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from linplane_api import names
from linplane_api.api_access import APPLY_PATCH, ApiAccess, ApiError, object_path
from linplane_api.kinds import POD, REPLICA_REPORT
from linplane_api.timing import Backoff, TokenBucket, jittered

from ..routing.compile import report_of
from ..routing.missing_features import Look
from ..state.snapshot import EMPTY, Snapshot
from .connection import Request, Session
from .log_once import LogOnce

FIELD_MANAGER = "linplane-server"
BURST = 5
PER_SECOND = 1.0
BACKOFF = Backoff(0.2, 5.0, (0.5, 1.5))  # so that replicas that lost the API server do not return in step
REFRESH = 300.0
"""Seconds after which a report is written again, by chance up to a tenth more."""
SECONDS = 10.0
"""For one write."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Replica:
    """Who we are. `started_at` is RFC 3339."""

    server: str
    pod_name: str
    pod_uid: str
    started_at: str


class ClusterReport:
    """See the module. `clock` gives seconds that never go back."""

    def __init__(
        self, access: ApiAccess, replica: Replica, look: Look, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Nothing is written before it is called. `look` gives what requests lacked."""
        path = object_path(REPLICA_REPORT, access.namespace, replica.pod_name)
        self._target = f"{path}?fieldManager={FIELD_MANAGER}&force=true"
        self._access = access
        self._replica = replica
        self._look = look
        self._snapshot: Snapshot | None = None
        self._session = Session(access)
        self._bucket = TokenBucket(PER_SECOND, BURST, clock)
        self._log_once = LogOnce(_log, "report not written", "reports are written again")
        self._wanted: bytes | None = None
        self._changed = asyncio.Event()
        self._written = asyncio.Event()

    async def begin_empty(self) -> None:
        """Reports sequence 0, in place of what an earlier process of this pod has reported. Returns once it is written,
        however long that takes.
        """
        await self(EMPTY)
        await self._written.wait()

    async def __call__(self, snapshot: Snapshot) -> None:
        """Returns at once: what is served does not wait for the API server."""
        self._snapshot = snapshot
        self._wanted = self._body(snapshot)
        self._changed.set()

    async def write_again(self) -> None:
        """What was acknowledged last, with what requests have lacked by now."""
        if self._snapshot is not None:
            await self(self._snapshot)

    async def run(self) -> None:
        """Writes until cancelled."""
        try:
            while True:
                refresh = jittered(REFRESH, (1.0, 1.1)) if self._wanted else None
                try:
                    async with asyncio.timeout(refresh):
                        await self._changed.wait()
                except TimeoutError:
                    pass
                await self._write()
        finally:
            self._session.close()

    async def _write(self) -> None:
        """Returns once the newest is written, however long that takes."""
        failures = 0
        while True:
            wait = self._bucket.take()
            if wait:
                await asyncio.sleep(wait)
                continue
            self._changed.clear()
            try:
                await self._put(self._wanted or b"")
            except ApiError as error:
                self._log_once.failed(error)
                failures += 1
                await asyncio.sleep(max(BACKOFF.delay(failures), error.retry_after))
                continue
            self._log_once.recovered()
            self._written.set()
            return

    async def _put(self, body: bytes) -> None:
        authorization = self._access.authorization()
        await self._session.send(Request("PATCH", self._target, authorization, body, APPLY_PATCH), SECONDS)

    def _body(self, snapshot: Snapshot) -> bytes:
        """The object, for server-side apply. JSON is YAML."""
        replica = self._replica
        owner = {"apiVersion": POD.api_version, "kind": POD.kind, "name": replica.pod_name, "uid": replica.pod_uid}
        report = report_of(snapshot, self._look(), replica.server, replica.pod_uid, replica.started_at)
        return msgspec.json.encode(
            {
                "apiVersion": REPLICA_REPORT.api_version,
                "kind": REPLICA_REPORT.kind,
                "metadata": {
                    "name": replica.pod_name,
                    "namespace": self._access.namespace,
                    "labels": {names.LABEL_SERVER: replica.server},
                    "ownerReferences": [owner],
                },
                "report": report,
            }
        )
