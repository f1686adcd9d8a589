"""Acknowledges a snapshot by a file: local mode's ReplicaReport. Written whole or not at all, after the snapshot
answers.
"""

import asyncio
import logging
from pathlib import Path

import msgspec

from linplane_api.folder import write_atomically

from .loading import report_of
from .registry import Snapshot

_log = logging.getLogger(__name__)


class FileReport:
    """Writes the `Report` of linplane_api as JSON to `path`."""

    def __init__(self, path: Path, server_name: str, pod_uid: str, started_at: str) -> None:
        """`started_at` is RFC 3339."""
        self._path = path
        self._server_name = server_name
        self._pod_uid = pod_uid
        self._started_at = started_at

    async def __call__(self, snapshot: Snapshot) -> None:
        """Returns once it is on disk. A disk that refuses is logged: serving goes on, this replica just does not
        count as converged.
        """
        data = msgspec.json.encode(report_of(snapshot, self._server_name, self._pod_uid, self._started_at))
        try:
            await asyncio.to_thread(write_atomically, self._path, data)
        except OSError as error:
            _log.error("report not written", extra={"reason": error.strerror})


async def no_report(snapshot: Snapshot) -> None:
    """Where nobody asked for one."""
