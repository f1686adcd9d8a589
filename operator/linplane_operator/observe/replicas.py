"""The pods of a ModelServer in the cache, and their reports. No I/O, no clock."""

from ..compile.acknowledgements import Replica, is_ready, make_replicas, unseen_replica
from ..compile.observed import Pod, ReplicaReport
from .cache import ObjectCache


def staying_pods(cache: ObjectCache, namespace: str, server: str) -> list[Pod]:
    """The server's pods that are there to stay."""
    return [pod for pod in cache.find_typed(Pod, namespace, f"server={server}") if not pod.is_deleting]


def find_replicas(cache: ObjectCache, namespace: str, server: str) -> list[Replica]:
    """The server's pods with the reports that are their own."""
    pods = cache.find_typed(Pod, namespace, f"server={server}")
    reports = [cache.typed(ReplicaReport, namespace, pod.name) for pod in pods]
    return make_replicas(pods, [report for report in reports if report is not None])


def unseen_replicas(cache: ObjectCache, namespace: str, server: str) -> list[Replica]:
    """The replicas that have a report and no pod: this goes with its pod, so the view of one of them is behind."""
    reports = cache.find_typed(ReplicaReport, namespace, f"server={server}")
    return [unseen_replica(one) for one in reports if cache.typed(Pod, namespace, one.name) is None]


def unready_replicas(cache: ObjectCache, namespace: str, server: str) -> list[Replica]:
    """The replicas that have a report, and no pod that is ready in this view."""
    reports = cache.find_typed(ReplicaReport, namespace, f"server={server}")
    return [unseen_replica(one) for one in reports if not is_ready(cache.typed(Pod, namespace, one.name))]
