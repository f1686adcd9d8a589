"""Acknowledges a snapshot by a file: local mode's ReplicaReport. Written whole or not at all, after the snapshot
answers.
"""

import asyncio
import logging
from pathlib import Path

import msgspec

from linplane_api.routing_folder import write_atomically

from ..state.snapshot import Snapshot
from .compile import report_of
from .missing_features import Look

_log = logging.getLogger(__name__)


class FileReport:
    """Writes the `Report` of linplane_api as JSON to `path`."""

    def __init__(self, path: Path, look: Look, server_name: str, pod_uid: str, started_at: str) -> None:
        """`look` gives what requests lacked; `started_at` is RFC 3339."""
        self._path = path
        self._look = look
        self._snapshot: Snapshot | None = None
        self._one = asyncio.Lock()
        self._server_name = server_name
        self._pod_uid = pod_uid
        self._started_at = started_at

    async def __call__(self, snapshot: Snapshot) -> None:
        """Returns once it is on disk. A disk that refuses is logged: serving goes on, this replica just does not
        count as converged.
        """
        self._snapshot = snapshot
        await self.write_again()

    async def write_again(self) -> None:
        """What was acknowledged last, with what requests have lacked by now."""
        async with self._one:  # an older state must not be written over a newer one
            if self._snapshot is not None:
                await self._write(self._snapshot)

    async def _write(self, snapshot: Snapshot) -> None:
        report = report_of(snapshot, self._look(), self._server_name, self._pod_uid, self._started_at)
        try:
            await asyncio.to_thread(write_atomically, self._path, msgspec.json.encode(report))
        except OSError as error:
            _log.error("report not written", extra={"reason": error.strerror})


async def no_report(snapshot: Snapshot) -> None:
    """Where nobody asked for one."""
