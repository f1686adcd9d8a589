"""What differs by where a server runs: where its routing comes from, who is told what is loaded, and what admin calls
act on.
"""

import argparse
import os
import time
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from linplane_api.timing import rfc3339

from .admin.access import Access
from .admin.endpoint import Connect
from .routing.file_report import FileReport, no_report
from .routing.folder_source import FolderSource
from .routing.missing_features import report_lacking
from .routing.source import ConfigSource
from .routing.updater import Acknowledge, Intake, Keep
from .state.serving import Serving


class Surroundings(Protocol):
    """One of the kinds."""

    source: ConfigSource
    acknowledge: Acknowledge
    keep: Keep | None
    access: Access
    connect: Connect | None

    def background(self, intake: Intake) -> Sequence[Coroutine[Any, Any, None]]:
        """What runs as long as the server does."""


def surroundings(given: argparse.Namespace, serving: Serving) -> Surroundings:
    """As the command line says. Raises OSError where a file that it names is not there, ValueError where it lacks
    something.
    """
    if not given.kubernetes:
        return FolderSurroundings(given, serving)
    from .cluster.environment import ClusterSurroundings  # noqa: PLC0415 - local mode does without

    return ClusterSurroundings(given, serving, os.environ)


class FolderSurroundings:
    """Local mode: all of it is files."""

    def __init__(self, given: argparse.Namespace, serving: Serving) -> None:
        """Reads the admin token."""
        self.source: ConfigSource = FolderSource(given.config)
        self.acknowledge: Acknowledge = no_report
        self._lacking: list[Coroutine[Any, Any, None]] = []
        if given.report:
            look = serving.counters.lacking
            report = FileReport(given.report, look, given.server_name, given.pod_uid, rfc3339(datetime.now(UTC)))
            self.acknowledge = report
            self._lacking = [report_lacking(look, report.write_again)]
        self.keep: Keep | None = None
        self.access = Access(_token(given.admin_token_file), time.monotonic_ns)
        self.connect = _resources(given.state)

    def background(self, intake: Intake) -> Sequence[Coroutine[Any, Any, None]]:
        """See `Surroundings`."""
        return [self.source.run(intake.take), *self._lacking]


def _token(path: Path | None) -> bytes | None:
    """The static admin token. Raises OSError where the file is not there, or empty: never open by mistake."""
    if path is None:
        return None
    token = path.read_bytes().strip()
    if not token:
        raise OSError(f"{path} is empty: an admin token is needed in it")
    return token


def _resources(state: Path | None) -> Connect | None:
    """What admin calls act on; None: they are off."""
    if state is None:
        return None
    from .admin.manifest_backend import FolderResources  # noqa: PLC0415 - local mode alone reads manifests

    resources = FolderResources(state)
    return lambda authorization: resources  # noqa: ARG005 - whoever may call may change the files
