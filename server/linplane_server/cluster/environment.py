"""Connects the parts of a server in a cluster."""

import argparse
import time
from collections.abc import Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from linplane_api.api_access import api_access
from linplane_api.names import routing_name
from linplane_api.timing import rfc3339

from ..admin.access import Access
from ..admin.endpoint import Connect
from ..routing.missing_features import report_missing_features
from ..routing.source import ConfigSource
from ..routing.updater import Acknowledge, RoutingUpdater, Save
from ..state.serving import Serving
from .admin_backend import NOT_LOCAL, ClusterBackends
from .local_copy import LocalCopy
from .report import ClusterReport, Replica
from .source import ClusterSource


class ClusterEnvironment:
    """The `Environment` of a cluster."""

    def __init__(self, args: argparse.Namespace, serving: Serving, environment: Mapping[str, str]) -> None:
        """Raises ValueError if neither the command line nor the environment variables name the API server."""
        api = api_access(environment, args.api_url, args.api_ca, args.api_token_file, args.namespace)
        replica = Replica(args.server_name, args.pod_name, args.pod_uid, rfc3339(datetime.now(UTC)))
        self._copy = LocalCopy(args.config)
        self._missing_features = serving.counters.missing_features
        self._report = ClusterReport(api, replica, self._missing_features)
        self._source = ClusterSource(api, routing_name(args.server_name))
        self.source: ConfigSource = self._source
        self.acknowledge: Acknowledge = self._report
        self.save: Save | None = self._copy.save
        self.access = Access(None, time.monotonic_ns, NOT_LOCAL)
        self.connect: Connect | None = ClusterBackends(api, serving.store, time.monotonic)

    def background(self, updater: RoutingUpdater) -> Sequence[Coroutine[Any, Any, None]]:
        """See `Environment`."""
        lacking = report_missing_features(self._missing_features, self._report.rewrite)
        return [self._follow(updater), self._report.run(), lacking]

    async def _follow(self, updater: RoutingUpdater) -> None:
        """Restores the local copy as the last good state; it is served only if the API server is unavailable. Without a
        copy the report is reset before the first read: an earlier process of this pod may have reported more.
        """
        copy = await self._copy.load()
        if copy is None:
            await self._report.reset()
        else:
            await updater.restore(copy)

        async def fall_back() -> None:
            if copy is not None:
                await updater.serve_restored(copy)

        await self._source.run(updater.apply, fall_back)
