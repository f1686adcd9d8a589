"""The composition root for what depends on the place a server runs in: the source of its routing, the report, and the
backend of admin calls.
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
from .routing.missing_features import report_missing_features
from .routing.source import ConfigSource
from .routing.updater import Acknowledge, RoutingUpdater, Save
from .state.serving import Serving


class Environment(Protocol):
    """The parts that differ between local mode and a cluster."""

    source: ConfigSource
    acknowledge: Acknowledge
    save: Save | None
    access: Access
    connect: Connect | None

    def background(self, updater: RoutingUpdater) -> Sequence[Coroutine[Any, Any, None]]:
        """Returns the tasks that run as long as the server does."""


def make_environment(args: argparse.Namespace, serving: Serving) -> Environment:
    """Returns the environment that the command line selects. Raises OSError if a file that it names cannot be read,
    ValueError if an argument is missing.
    """
    if not args.kubernetes:
        return LocalEnvironment(args, serving)
    from .cluster.environment import ClusterEnvironment  # noqa: PLC0415 - local mode does not load it

    return ClusterEnvironment(args, serving, os.environ)


class LocalEnvironment:
    """Local mode: routing, report and admin calls go through files."""

    def __init__(self, args: argparse.Namespace, serving: Serving) -> None:
        """Reads the admin token; raises OSError if that fails."""
        self.source: ConfigSource = FolderSource(args.config)
        self.acknowledge: Acknowledge = no_report
        self._missing_features: list[Coroutine[Any, Any, None]] = []
        if args.report:
            read_missing = serving.counters.missing_features
            report = FileReport(args.report, read_missing, args.server_name, args.pod_uid, rfc3339(datetime.now(UTC)))
            self.acknowledge = report
            self._missing_features = [report_missing_features(read_missing, report.rewrite)]
        self.save: Save | None = None
        self.access = Access(_token(args.admin_token_file), time.monotonic_ns)
        self.connect = _manifest_backend(args.state)

    def background(self, updater: RoutingUpdater) -> Sequence[Coroutine[Any, Any, None]]:
        """See `Environment`."""
        return [self.source.run(updater.apply), *self._missing_features]


def _token(path: Path | None) -> bytes | None:
    """Returns the static admin token. Raises OSError if the file is missing or empty: an empty token must not open
    access.
    """
    if path is None:
        return None
    token = path.read_bytes().strip()
    if not token:
        raise OSError(f"{path} is empty: it must contain the admin token")
    return token


def _manifest_backend(state: Path | None) -> Connect | None:
    """Returns a function that gives every caller the same backend; None turns admin calls off."""
    if state is None:
        return None
    from .admin.manifest_backend import ManifestBackend  # noqa: PLC0415 - only local mode reads manifests

    backend = ManifestBackend(state)
    return lambda authorization: backend  # noqa: ARG005 - a caller who is let in may change the files
