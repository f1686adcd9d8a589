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
from ..routing.missing_features import report_lacking
from ..routing.source import ConfigSource
from ..routing.updater import Acknowledge, Intake, Keep
from ..state.serving import Serving
from .admin_backend import ELSEWHERE, Callers
from .local_copy import Copy
from .report import ClusterReport, Replica
from .source import ClusterSource


class ClusterSurroundings:
    """See the module, and `Surroundings`."""

    def __init__(self, given: argparse.Namespace, serving: Serving, environment: Mapping[str, str]) -> None:
        """Raises ValueError where the command line and the environment do not say enough."""
        api = api_access(environment, given.api_url, given.api_ca, given.api_token_file, given.namespace)
        replica = Replica(given.server_name, given.pod_name, given.pod_uid, rfc3339(datetime.now(UTC)))
        self._copy = Copy(given.config)
        self._lacking = serving.counters.lacking
        self._report = ClusterReport(api, replica, self._lacking)
        self._source = ClusterSource(api, routing_name(given.server_name))
        self.source: ConfigSource = self._source
        self.acknowledge: Acknowledge = self._report
        self.keep: Keep | None = self._copy.keep
        self.access = Access(None, time.monotonic_ns, ELSEWHERE)
        self.connect: Connect | None = Callers(api, serving.registry, time.monotonic)

    def background(self, intake: Intake) -> Sequence[Coroutine[Any, Any, None]]:
        """See `Surroundings`."""
        lacking = report_lacking(self._lacking, self._report.write_again)
        return [self._follow(intake), self._report.run(), lacking]

    async def _follow(self, intake: Intake) -> None:
        """The copy is what was last good; it is answered by only where the API server is away. Without one nothing is
        read before the report says that nothing is loaded.
        """
        kept = await self._copy.read()
        if kept is None:
            await self._report.begin_empty()
        else:
            await intake.recall(kept)

        async def fall_back() -> None:
            if kept is not None:
                await intake.resume(kept)

        await self._source.run(intake.take, fall_back)
