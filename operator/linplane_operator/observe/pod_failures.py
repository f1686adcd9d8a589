"""Why Jobs get no pod: only their Events tell. Read of a namespace at once, and rarely."""

from collections.abc import Callable, Mapping
from datetime import datetime

from ..cluster_client import ClusterClient
from ..compile.observed import Job

EVERY_SECONDS = 10.0  # how often the Events of one namespace are read at most


class Refusals:
    """What the API server said to Job controllers that wanted to make a pod."""

    def __init__(self, cluster: ClusterClient, now: Callable[[], datetime]) -> None:
        """`now` is the clock."""
        self._cluster = cluster
        self._now = now
        self._read: dict[str, tuple[datetime, Mapping[str, str]]] = {}  # by namespace: when, and what by Job

    async def of(self, job: Job) -> str:
        """In which words this Job was refused a pod last, empty where it was not."""
        namespace, now = job.metadata.namespace, self._now()
        self._read = {name: read for name, read in self._read.items() if _age(read[0], now) < EVERY_SECONDS}
        if namespace not in self._read:
            self._read[namespace] = now, {}  # others need not ask meanwhile
            self._read[namespace] = now, await self._cluster.refusals(namespace)
        return self._read[namespace][1].get(job.uid, "")


def _age(since: datetime, now: datetime) -> float:
    return abs((now - since).total_seconds())
