"""A HorizontalPodAutoscaler on a ModelServer: it adds and removes replicas, and the operator keeps its count.

It needs the metrics API, which a node of the tests' own has.
"""

import time

import pytest

from e2e.figures import RecordFigure
from e2e.kubectl import Kubectl
from e2e.load_pod import load
from e2e.objects import Object, handmade, route, server
from support import eventually

VERSIONS = {"v1": (2.0, 1.0)}
MOST = 3
STEADY_SECONDS = 20.0


def _autoscaler() -> Object:
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 30}}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "default"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "linplane.dev/v1alpha1", "kind": "ModelServer", "name": "default"},
            "minReplicas": 1,
            "maxReplicas": MOST,
            "metrics": [{"type": "Resource", "resource": cpu}],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 5}},
        },
    }


def _replicas(kubectl: Kubectl) -> tuple[int, int]:
    """The replicas of the ModelServer's spec, and the number of pods that answer."""
    body = kubectl.get("modelserver", "default")
    return body["spec"].get("replicas", 2), body["status"].get("loadedReplicas", 0)


@pytest.mark.timeout(900)
def test_autoscaler_scales_a_server_up_and_down(kubectl: Kubectl, record_figure: RecordFigure) -> None:
    resources = {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"memory": "256Mi"}}
    kubectl.apply(
        server(replicas=1, resources=resources), *handmade("flat", "v1", *VERSIONS["v1"]), route("flat", "v1")
    )
    kubectl.wait("Ready", "modelroute/flat")
    began = time.monotonic()
    with load(kubectl, "flat", 200, VERSIONS) as asking:
        kubectl.apply(_autoscaler())
        eventually(lambda: _replicas(kubectl) == (MOST, MOST), 300, interval=1)
        grown = time.monotonic() - began
        steady = time.monotonic() + STEADY_SECONDS
        while time.monotonic() < steady:
            assert _replicas(kubectl)[0] == MOST
            time.sleep(0.5)
        failed = [answer for answer in asking.answers() if answer.outcome != "ok"]
        assert not failed, failed[:5]
    kubectl("delete", "pod", "load", "--wait=false")
    began = time.monotonic()
    eventually(lambda: _replicas(kubectl) == (1, 1), 300, interval=1)
    record_figure(
        f"an autoscaler: from 1 to {MOST} replicas, and back, s", f"{grown:.0f}, {time.monotonic() - began:.0f}", ""
    )
