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
from .routing.missing_features import report_missing_features
from .routing.source import ConfigSource
from .routing.updater import Acknowledge, Keep, RoutingUpdater
from .state.serving import Serving


class Environment(Protocol):
    """One of the kinds."""

    source: ConfigSource
    acknowledge: Acknowledge
    keep: Keep | None
    access: Access
    connect: Connect | None

    def background(self, updater: RoutingUpdater) -> Sequence[Coroutine[Any, Any, None]]:
        """What runs as long as the server does."""


def make_environment(args: argparse.Namespace, serving: Serving) -> Environment:
    """As the command line says. Raises OSError where a file that it names is not there, ValueError where it lacks
    something.
    """
    if not args.kubernetes:
        return LocalEnvironment(args, serving)
    from .cluster.environment import ClusterEnvironment  # noqa: PLC0415 - local mode does without

    return ClusterEnvironment(args, serving, os.environ)


class LocalEnvironment:
    """Local mode: all of it is files."""

    def __init__(self, args: argparse.Namespace, serving: Serving) -> None:
        """Reads the admin token."""
        self.source: ConfigSource = FolderSource(args.config)
        self.acknowledge: Acknowledge = no_report
        self._missing_features: list[Coroutine[Any, Any, None]] = []
        if args.report:
            look = serving.counters.missing_features
            report = FileReport(args.report, look, args.server_name, args.pod_uid, rfc3339(datetime.now(UTC)))
            self.acknowledge = report
            self._missing_features = [report_missing_features(look, report.write_again)]
        self.keep: Keep | None = None
        self.access = Access(_token(args.admin_token_file), time.monotonic_ns)
        self.connect = _manifest_backend(args.state)

    def background(self, updater: RoutingUpdater) -> Sequence[Coroutine[Any, Any, None]]:
        """See `Environment`."""
        return [self.source.run(updater.apply), *self._missing_features]


def _token(path: Path | None) -> bytes | None:
    """The static admin token. Raises OSError where the file is not there, or empty: never open by mistake."""
    if path is None:
        return None
    token = path.read_bytes().strip()
    if not token:
        raise OSError(f"{path} is empty: an admin token is needed in it")
    return token


def _manifest_backend(state: Path | None) -> Connect | None:
    """What admin calls act on; None: they are off."""
    if state is None:
        return None
    from .admin.manifest_backend import ManifestBackend  # noqa: PLC0415 - local mode alone reads manifests

    backend = ManifestBackend(state)
    return lambda authorization: backend  # noqa: ARG005 - whoever may call may change the files
