"""Puts together what a server in a cluster runs on."""

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
from ..routing.updater import Acknowledge, Keep, RoutingUpdater
from ..state.serving import Serving
from .admin_backend import ELSEWHERE, ClusterBackends
from .local_copy import LocalCopy
from .report import ClusterReport, Replica
from .source import ClusterSource


class ClusterEnvironment:
    """See the module, and `Environment`."""

    def __init__(self, args: argparse.Namespace, serving: Serving, environment: Mapping[str, str]) -> None:
        """Raises ValueError where the command line and the environment do not say enough."""
        api = api_access(environment, args.api_url, args.api_ca, args.api_token_file, args.namespace)
        replica = Replica(args.server_name, args.pod_name, args.pod_uid, rfc3339(datetime.now(UTC)))
        self._copy = LocalCopy(args.config)
        self._missing_features = serving.counters.missing_features
        self._report = ClusterReport(api, replica, self._missing_features)
        self._source = ClusterSource(api, routing_name(args.server_name))
        self.source: ConfigSource = self._source
        self.acknowledge: Acknowledge = self._report
        self.keep: Keep | None = self._copy.keep
        self.access = Access(None, time.monotonic_ns, ELSEWHERE)
        self.connect: Connect | None = ClusterBackends(api, serving.store, time.monotonic)

    def background(self, updater: RoutingUpdater) -> Sequence[Coroutine[Any, Any, None]]:
        """See `Environment`."""
        lacking = report_missing_features(self._missing_features, self._report.write_again)
        return [self._follow(updater), self._report.run(), lacking]

    async def _follow(self, updater: RoutingUpdater) -> None:
        """The copy is what was last good; it is answered by only where the API server is away. Without one nothing is
        read before the report says that nothing is loaded.
        """
        kept = await self._copy.read()
        if kept is None:
            await self._report.begin_empty()
        else:
            await updater.recall(kept)

        async def fall_back() -> None:
            if kept is not None:
                await updater.resume(kept)

        await self._source.run(updater.apply, fall_back)
