"""The chart's life cycle: upgrade, rollback, uninstall, reinstall, and deletion of everything in a wrong order."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.chart import CHART, RELEASE, SYSTEM
from e2e.conftest import ROOT, Release, values
from e2e.figures import RecordFigure
from e2e.kubectl import Kubectl, from_pod, helm, run
from e2e.load_pod import load
from e2e.objects import handmade, route
from support import eventually

VERSIONS = {"v1": (2.0, 1.0), "v2": (3.0, 1.0)}
CHILDREN = "configmaps,services,serviceaccounts,roles,rolebindings,linearmodels,modelroutes,modelservers"
OTHERS_WRITE = "deployments,poddisruptionbudgets"  # their statuses
GONE_SECONDS = 35.0
QUIET_SECONDS = 6.0
CRDS = [f"{name}.linplane.dev" for name in ("linearmodels", "modelroutes", "modelservers", "replicareports")]


@pytest.fixture
def installed(release: Release) -> Iterator[None]:
    """Reinstalls the chart after each test."""
    yield
    helm("upgrade", "--install", RELEASE, str(CHART), f"--namespace={SYSTEM}", "--wait", *values())


@pytest.fixture
def previous(tmp_path: Path) -> Path:
    """The chart as it was before its last change."""
    commits = run(["git", "-C", str(ROOT), "log", "--format=%H", "-2", "--", "helm/linplane"]).split()
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", commits[-1], "helm/linplane"], capture_output=True, check=True, timeout=60
    )
    subprocess.run(["tar", "-x", "-C", str(tmp_path)], input=archive.stdout, check=True, timeout=60)
    return tmp_path / "helm" / "linplane"


@pytest.fixture
def served(kubectl: Kubectl) -> Kubectl:
    objects = [body for name, (slope, start) in VERSIONS.items() for body in handmade("flat", name, slope, start)]
    kubectl.apply(*objects, route("flat", "v1"))
    kubectl.wait("Ready", "modelroute/flat", "linearmodel/flat-v2", "modelserver/default")
    return kubectl


def _written(kubectl: Kubectl) -> dict[str, str]:
    """The resourceVersion of each object; the generation if another client writes its status."""
    found = {
        f"{body['kind']}/{body['metadata']['name']}": body["metadata"]["resourceVersion"]
        for body in kubectl.list(CHILDREN)
        if body["metadata"]["name"] != "load"
    }
    specs = {
        f"{b['kind']}/{b['metadata']['name']}": str(b["metadata"]["generation"]) for b in kubectl.list(OTHERS_WRITE)
    }
    return found | specs


def _operators() -> str:
    """The UID of the operator's pod that is not being deleted."""
    pods = Kubectl(SYSTEM).list("pods", "app.kubernetes.io/component=operator")
    (uid,) = (str(pod["metadata"]["uid"]) for pod in pods if "deletionTimestamp" not in pod["metadata"])
    return uid


def _switch(kubectl: Kubectl, version: str) -> dict[str, str]:
    """Checks that the operator carries out a change. Returns the versions of the objects once nothing is pending."""
    kubectl.patch("modelroute", "flat", {"spec": {"version": version}})

    def switched() -> bool:
        status = kubectl.get("modelroute", "flat").get("status") or {}
        return (
            bool(status.get("version") == version)
            and kubectl.condition("modelroute", "flat", "Ready")["status"] == "True"
        )

    eventually(switched, 60, interval=0.5)
    assert from_pod(kubectl, "http://flat/predict", {"features": {"area": 2}})[1]["version"] == version
    kubectl.wait("Ready", "modelserver/default")
    seen = [_written(kubectl)]

    def settled() -> bool:
        seen.append(_written(kubectl))
        return seen[-1] == seen[-2]

    eventually(settled, 30, interval=2)
    return seen[-1]


def _stays(kubectl: Kubectl, before: dict[str, str]) -> None:
    """Checks that nothing is written for QUIET_SECONDS, in which a newly started operator reconciles everything."""
    ends = time.monotonic() + QUIET_SECONDS
    while time.monotonic() < ends:
        assert _written(kubectl) == before
        time.sleep(0.5)


@pytest.mark.timeout(900)
def test_chart_upgrade_rollback_and_reinstall_fail_no_request(installed: None, previous: Path, served: Kubectl) -> None:
    where = (f"--namespace={SYSTEM}", "--wait")
    operators = [_operators()]
    with load(served, "flat", 50, VERSIONS) as asking:
        helm("upgrade", RELEASE, str(previous), *where, *values(), "--set=operator.podAnnotations.chart=previous")
        before = _switch(served, "v2")
        operators.append(_operators())
        helm("upgrade", RELEASE, str(CHART), *where, *values())
        _stays(served, before)
        operators.append(_operators())
        before = _switch(served, "v1")
        helm("rollback", RELEASE, *where)
        _stays(served, before)
        operators.append(_operators())
        assert len(set(operators)) == len(operators), "each is another pod"
        before = _switch(served, "v2")
        helm("uninstall", RELEASE, *where)
        assert from_pod(served, "http://flat/predict", {"features": {"area": 2}})[1]["version"] == "v2"
        helm("install", RELEASE, str(CHART), *where, *values())
        _stays(served, before)
        _switch(served, "v1")
        answers = asking.answers()
    failed = [answer for answer in answers if answer.outcome != "ok"]
    assert not failed, f"{len(failed)} of {len(answers)}: {failed[:5]}"


def test_deletion_of_everything_in_the_wrong_order_never_blocks(
    installed: None, served: Kubectl, record_figure: RecordFigure
) -> None:
    """The operator first, then the CRDs, then the namespace: no deletion blocks."""
    helm("uninstall", RELEASE, f"--namespace={SYSTEM}", "--wait")
    run(["kubectl", "delete", "crd", *CRDS, "--timeout=60s"])
    began = time.monotonic()
    run(["kubectl", "delete", "namespace", served.namespace, "--timeout=60s"])
    took = time.monotonic() - began
    record_figure("a namespace goes, without operator and CRDs, s", f"{took:.1f}", f"< {GONE_SECONDS:.0f}")
    assert took < GONE_SECONDS
