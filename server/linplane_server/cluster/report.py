"""Acknowledges the routing in force in a ReplicaReport, which is owned by this pod and so deleted with it.

Only the newest state is written; intermediate states may be skipped. Writes are limited to a burst of 5, then one per
second. The report is written again periodically, which restores one that was deleted; if it is unchanged, the API
server stores nothing.

An earlier process of the same pod may have left a report. If this process starts from that one's local copy, which was
saved before it was reported, the report still holds. Otherwise it is reset first, and the process is not ready before.
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
from ..routing.missing_features import ReadMissing
from ..state.snapshot import EMPTY, Snapshot
from .connection import Request, Session
from .log_once import LogOnce

FIELD_MANAGER = "linplane-server"
BURST = 5
PER_SECOND = 1.0
BACKOFF = Backoff(0.2, 5.0, (0.5, 1.5))  # jitter, so that replicas do not reconnect all at once after an outage
REFRESH = 300.0
"""Seconds after which a report is written again, with up to a tenth of jitter."""
WRITE_SECONDS = 10.0
"""Timeout of one write."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Replica:
    """Identifies this replica. `started_at` is RFC 3339."""

    server: str
    pod_name: str
    pod_uid: str
    started_at: str


class ClusterReport:
    """Writes the report of one pod. `clock` is monotonic, in seconds."""

    def __init__(
        self,
        access: ApiAccess,
        replica: Replica,
        read_missing: ReadMissing,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Writes nothing before the first call. `read_missing` returns the features that requests lacked."""
        path = object_path(REPLICA_REPORT, access.namespace, replica.pod_name)
        self._target = f"{path}?fieldManager={FIELD_MANAGER}&force=true"
        self._access = access
        self._replica = replica
        self._read_missing = read_missing
        self._snapshot: Snapshot | None = None
        self._session = Session(access)
        self._bucket = TokenBucket(PER_SECOND, BURST, clock)
        self._log_once = LogOnce(_log, "report not written", "reports are written again")
        self._wanted: bytes | None = None
        self._changed = asyncio.Event()
        self._written = asyncio.Event()

    async def reset(self) -> None:
        """Replaces the report of an earlier process of this pod by sequence 0. Returns once it is written, without a
        timeout.
        """
        await self(EMPTY)
        await self._written.wait()

    async def __call__(self, snapshot: Snapshot) -> None:
        """Queues a report and returns at once: serving does not wait for the API server."""
        self._snapshot = snapshot
        self._wanted = self._body(snapshot)
        self._changed.set()

    async def rewrite(self) -> None:
        """Queues the last acknowledgement again, with the current counts of missing features."""
        if self._snapshot is not None:
            await self(self._snapshot)

    async def run(self) -> None:
        """Writes queued reports until cancelled."""
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
        """Returns once the newest report is written, retrying without end."""
        failures = 0
        while True:
            wait = self._bucket.acquire()
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
            _log.debug("report written", extra={"kind": REPLICA_REPORT.kind, "object": self._replica.pod_name})
            return

    async def _put(self, body: bytes) -> None:
        authorization = self._access.authorization()
        await self._session.send(Request("PATCH", self._target, authorization, body, APPLY_PATCH), WRITE_SECONDS)

    def _body(self, snapshot: Snapshot) -> bytes:
        """Encodes the object for server-side apply, which accepts JSON as YAML."""
        replica = self._replica
        owner = {"apiVersion": POD.api_version, "kind": POD.kind, "name": replica.pod_name, "uid": replica.pod_uid}
        report = report_of(snapshot, self._read_missing(), replica.server, replica.pod_uid, replica.started_at)
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
