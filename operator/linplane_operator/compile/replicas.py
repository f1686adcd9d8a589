"""What the replicas of a ModelServer have confirmed: acknowledgements as facts, never as guesses."""

from collections.abc import Sequence
from dataclasses import dataclass

from linplane_api.canonical import FormatError, convert
from linplane_api.conditions import ConditionType
from linplane_api.report import Report

from .conditions import holds
from .objects import Object, is_deleting, name_of, status_of, uid_of


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
    """How many of the ready replicas have loaded something, and what holds up the first that has not. `rejected`:
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


def make_replicas(pods: Sequence[Object], reports: Sequence[Object]) -> list[Replica]:
    """Every pod that may answer, with its own report: not one that has ended, nor one that never began."""
    by_name = {name_of(report): report for report in reports}
    result = []
    for pod in sorted(pods, key=name_of):
        if status_of(pod).get("phase") in ("Pending", "Succeeded", "Failed"):
            continue
        report = _own_report(pod, by_name.get(name_of(pod)))
        result.append(Replica(name_of(pod), holds(status_of(pod), ConditionType.READY), is_deleting(pod), report))
    return result


def unseen_replica(body: Object) -> Replica:
    """A report whose pod is not known: that may still answer."""
    try:
        report = convert(body.get("report"), Report, "report")
    except FormatError:
        report = None
    return Replica(name_of(body), ready=False, terminating=True, report=report, pod_known=False)


def is_serving(pod: Object) -> bool:
    """The pod gets requests."""
    return holds(status_of(pod), ConditionType.READY) and not is_deleting(pod)


def _own_report(pod: Object, body: Object | None) -> Report | None:
    try:
        report = convert((body or {}).get("report"), Report, "report")
    except FormatError:
        return None
    return report if report.pod_uid == uid_of(pod) else None


def loaded_by(
    replicas: Sequence[Replica], uid: str, sequence: int, route: str | None = None, *, terminating: bool = False
) -> Acknowledged:
    """Who has loaded `sequence` of the routing ConfigMap `uid`: `route` in it, or all of it where none is given.

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
