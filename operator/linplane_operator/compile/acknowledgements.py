"""Acknowledgements: the state of the routing ConfigMap that each replica of a ModelServer has confirmed."""

from collections.abc import Sequence
from dataclasses import dataclass

from linplane_api.conditions import ConditionType
from linplane_api.report import Report

from .observed import Pod, ReplicaReport, find_condition


@dataclass(frozen=True)
class Replica:
    """One pod and the report that is its own, by UID; None without one. `pod_known` False: there is a report and no
    pod.

    When the process started is not compared, for clocks differ. A report of an earlier process of the same pod is true
    of the next one: that begins with what was reported, or reports sequence 0 before it is ready.
    """

    name: str
    ready: bool
    terminating: bool
    report: Report | None
    pod_known: bool = True


@dataclass(frozen=True)
class Acknowledged:
    """The number of ready replicas that have loaded something, and the problem of the first that has not. `rejected`:
    it has refused it.
    """

    loaded: int
    total: int
    problem: str
    rejected: bool = False

    @property
    def converged(self) -> bool:
        """At least one replica is ready, and all that are have loaded it."""
        return self.total > 0 and self.loaded == self.total

    @property
    def summary(self) -> str:
        """`2/2`."""
        return f"{self.loaded}/{self.total}"


def make_replicas(pods: Sequence[Pod], reports: Sequence[ReplicaReport]) -> list[Replica]:
    """Every pod that may answer, with its own report: not one that has ended, nor one that never began."""
    by_name = {one.name: one.report for one in reports}
    result = []
    for pod in sorted(pods, key=lambda pod: pod.name):
        if pod.status.phase in ("Pending", "Succeeded", "Failed"):
            continue
        report = by_name.get(pod.name)
        own = report if report and report.pod_uid == pod.uid else None
        result.append(Replica(pod.name, is_ready(pod), pod.is_deleting, own))
    return result


def unseen_replica(one: ReplicaReport) -> Replica:
    """A report whose pod is not known: that may still answer."""
    return Replica(one.name, ready=False, terminating=True, report=one.report, pod_known=False)


def is_ready(pod: Pod | None) -> bool:
    """The pod is there and its probes succeed."""
    return pod is not None and find_condition(pod.status.conditions, ConditionType.READY) is not None


def is_serving(pod: Pod | None) -> bool:
    """The pod gets requests."""
    return pod is not None and is_ready(pod) and not pod.is_deleting


def loaded_by(
    replicas: Sequence[Replica], uid: str, sequence: int, route: str | None = None, *, terminating: bool = False
) -> Acknowledged:
    """Counts the replicas that have loaded `sequence` of the routing ConfigMap `uid`: `route` in it, or all of it.

    Counted are ready replicas that do not terminate; with `terminating` all that may still answer, for a version is
    withdrawn only when none of these can.
    """
    counted = [r for r in replicas if terminating or (r.ready and not r.terminating)]
    behind = [problem for r in counted if (problem := _behind(r, uid, sequence))]
    refused = [problem for r in counted if not _behind(r, uid, sequence) and (problem := _refused(r, route))]
    problem = next(iter((*refused, *behind)), "")
    return Acknowledged(len(counted) - len(behind) - len(refused), len(counted), problem, bool(refused))


def _behind(replica: Replica, uid: str, sequence: int) -> str:
    report = replica.report
    if not uid:
        return f"{replica.name} waits for the routing ConfigMap, which is not there"
    loaded = report is not None and report.config_map_uid == uid and report.sequence >= sequence
    if not loaded and not replica.pod_known:
        return f"ReplicaReport {replica.name} remains of a pod that is gone"
    if report is None:
        return f"{replica.name} has not reported"
    if not loaded:
        return f"{replica.name} has not loaded sequence {sequence}"
    return ""


def _refused(replica: Replica, route: str | None) -> str:
    report = replica.report
    if report is None or not report.rejected_count:
        return ""
    for rejected in report.rejected:
        if route in (None, rejected.route):
            return f"{replica.name} refused the document of {rejected.route}: {rejected.reason}"
    if report.rejected_count > len(report.rejected):
        return f"{replica.name} refused {report.rejected_count} documents, perhaps this one"
    return ""
