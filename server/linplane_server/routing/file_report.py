"""Acknowledges a snapshot in a file: local mode's ReplicaReport. The file is replaced atomically, after the snapshot is
in force.
"""

import asyncio
import logging
from pathlib import Path

import msgspec

from linplane_api.files import write_atomically

from ..state.snapshot import Snapshot
from .compile import report_of
from .missing_features import ReadMissing

_log = logging.getLogger(__name__)


class FileReport:
    """Writes the `Report` of linplane_api as JSON to `path`."""

    def __init__(self, path: Path, read_missing: ReadMissing, server_name: str, pod_uid: str, started_at: str) -> None:
        """`read_missing` returns the features that requests lacked; `started_at` is RFC 3339."""
        self._path = path
        self._read_missing = read_missing
        self._snapshot: Snapshot | None = None
        self._lock = asyncio.Lock()
        self._server_name = server_name
        self._pod_uid = pod_uid
        self._started_at = started_at

    async def __call__(self, snapshot: Snapshot) -> None:
        """Returns once the report is on disk. A failed write is logged: serving continues, but this replica does not
        count as converged.
        """
        self._snapshot = snapshot
        await self.rewrite()

    async def rewrite(self) -> None:
        """Writes the last acknowledgement again, with the current counts of missing features."""
        async with self._lock:  # an older state must not be written over a newer one
            if self._snapshot is not None:
                await self._write(self._snapshot)

    async def _write(self, snapshot: Snapshot) -> None:
        report = report_of(snapshot, self._read_missing(), self._server_name, self._pod_uid, self._started_at)
        try:
            await asyncio.to_thread(write_atomically, self._path, msgspec.json.encode(report))
        except OSError as error:
            _log.error("report not written", extra={"reason": error.strerror})


async def no_report(snapshot: Snapshot) -> None:
    """Acknowledges nothing: the command line names no report file."""
