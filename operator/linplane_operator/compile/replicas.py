"""What the replicas of a ModelServer have confirmed: acknowledgements as facts, never as guesses."""

from collections.abc import Sequence
from dataclasses import dataclass

from linplane_api.canonical import FormatError, convert
from linplane_api.report import Report

from .objects import Object, is_deleting, name_of, status_of, uid_of


@dataclass(frozen=True)
class Replica:
    """One pod and the report that is really its own (by UID, started not before the container runs), None without
    one.
    """

    name: str
    ready: bool
    terminating: bool
    report: Report | None


@dataclass(frozen=True)
class Acknowledged:
    """How many of the ready replicas have loaded something, and what holds up the first that has not."""

    loaded: int
    total: int
    problem: str

    @property
    def converged(self) -> bool:
        """At least one replica is ready, and all that are have loaded it."""
        return self.total > 0 and self.loaded == self.total

    @property
    def summary(self) -> str:
        """`2/2`."""
        return f"{self.loaded}/{self.total}"


def make_replicas(pods: Sequence[Object], reports: Sequence[Object]) -> list[Replica]:
    """Every pod that may still answer, with its own report."""
    by_name = {name_of(report): report for report in reports}
    result = []
    for pod in sorted(pods, key=name_of):
        if status_of(pod).get("phase") in ("Succeeded", "Failed"):
            continue
        report = _own_report(pod, by_name.get(name_of(pod)))
        result.append(Replica(name_of(pod), _is_ready(pod), is_deleting(pod), report))
    return result


def _is_ready(pod: Object) -> bool:
    conditions = status_of(pod).get("conditions") or ()
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def _own_report(pod: Object, body: Object | None) -> Report | None:
    try:
        report = convert((body or {}).get("report"), Report, "report")
    except FormatError:
        return None
    containers = status_of(pod).get("containerStatuses") or ()
    started = max(
        (((c.get("state") or {}).get("running") or {}).get("startedAt") or "" for c in containers), default=""
    )
    return report if report.pod_uid == uid_of(pod) and report.started_at >= started else None


def loaded_by(
    replicas: Sequence[Replica], uid: str, sequence: int, route: str | None = None, *, terminating: bool = False
) -> Acknowledged:
    """Who has loaded `sequence` of the routing ConfigMap `uid`, and (where given) `route` in it.

    Counted are ready replicas that do not terminate; with `terminating` all that may still answer, for a version is
    withdrawn only when none of these can.
    """
    counted = [r for r in replicas if terminating or (r.ready and not r.terminating)]
    behind = [problem for r in counted if (problem := _behind(r, uid, sequence, route))]
    return Acknowledged(len(counted) - len(behind), len(counted), behind[0] if behind else "")


def _behind(replica: Replica, uid: str, sequence: int, route: str | None) -> str:
    report = replica.report
    if report is None:
        return f"{replica.name} has not reported"
    if report.config_map_uid != uid or report.sequence < sequence:
        return f"{replica.name} has not loaded sequence {sequence}"
    if route is None:
        return ""
    for rejected in report.rejected:
        if rejected.route == route:
            return f"{replica.name} refused the document: {rejected.reason}"
    if report.rejected_count > len(report.rejected):
        return f"{replica.name} refused {report.rejected_count} documents, perhaps this one"
    return ""
