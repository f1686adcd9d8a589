"""FailedCreate Events: why Jobs get no pod. Read for a whole namespace at once, and rarely."""

from collections.abc import Callable, Mapping
from datetime import datetime

from ..cluster_client import ClusterClient
from ..compile.observed import Job

EVERY_SECONDS = 10.0  # how often the Events of one namespace are read at most


class PodFailures:
    """The API server's refusals of pods, by Job."""

    def __init__(self, cluster: ClusterClient, now: Callable[[], datetime]) -> None:
        """`now` is the clock."""
        self._cluster = cluster
        self._now = now
        self._read: dict[str, tuple[datetime, Mapping[str, str]]] = {}  # by namespace: when, and the messages by Job

    async def of(self, job: Job) -> str:
        """The message with which this Job was last refused a pod, empty if it was not."""
        namespace, now = job.metadata.namespace, self._now()
        self._read = {name: read for name, read in self._read.items() if _age(read[0], now) < EVERY_SECONDS}
        if namespace not in self._read:
            self._read[namespace] = now, {}  # concurrent calls need no read of their own
            self._read[namespace] = now, await self._cluster.pod_failures(namespace)
        return self._read[namespace][1].get(job.uid, "")


def _age(since: datetime, now: datetime) -> float:
    return abs((now - since).total_seconds())
