"""Deletions that no watch delivers, because the operator is stopped while the API server restarts; and children whose
owner is gone.
"""

from e2e.cluster_failures import api_server_away, operator_stopped
from e2e.kubectl import Kubectl, first_answer
from e2e.objects import handmade, route
from support import eventually

SERVER = "linplane-server-default"
CHILDREN = (
    *(f"{kind}/{SERVER}" for kind in ("deployments", "poddisruptionbudgets", "serviceaccounts")),
    "services/flat",
)


def _uids(kubectl: Kubectl) -> dict[str, str]:
    """UIDs of the children that exist."""
    kinds = {what.partition("/")[0] for what in CHILDREN}
    found = {f"{kind}/{b['metadata']['name']}": b["metadata"]["uid"] for kind in kinds for b in kubectl.list(kind)}
    return {what: uid for what, uid in found.items() if what in CHILDREN}


def test_children_deleted_while_the_operator_was_stopped_come_back(kubectl: Kubectl) -> None:
    """The new API server answers 410 to an old watch, so no watch will ever deliver the deletions in between."""
    kubectl.apply(*handmade("flat", "v1", 2, 1), route("flat", "v1"))
    kubectl.wait("Ready", "modelroute/flat", "modelserver/default")
    before = _uids(kubectl)
    pods = [pod["metadata"]["name"] for pod in kubectl.list("pods", "app.kubernetes.io/component=server")]
    with operator_stopped():
        for number in range(3):  # writes that no watch of the operator's has come to: else it need not be refused
            kubectl("create", "configmap", f"later-{number}")
        with api_server_away():
            pass
        kubectl("delete", *CHILDREN, "--wait=false")
        kubectl("delete", "pods", *pods, "--force", "--grace-period=0")
        kubectl("delete", "replicareports", *pods, "--ignore-not-found", "--wait=false")
        assert not _uids(kubectl)

    def is_back() -> bool:
        now = _uids(kubectl)
        return now.keys() == before.keys() and not set(now.values()) & set(before.values())

    eventually(is_back, 60, interval=0.5)
    kubectl("rollout", "status", f"deployment/{SERVER}", "--timeout=90s")
    kubectl.wait("Ready", "modelroute/flat", "modelserver/default")
    assert first_answer(kubectl, "http://flat/predict", {"features": {"area": 2}})[1]["prediction"] == 5


def test_report_that_outlived_its_pod_delays_no_switch(kubectl: Kubectl) -> None:
    """Without an owner the operator alone removes it, after it found neither its pod nor any dependent object."""
    kubectl.apply(*handmade("flat", "v1", 2, 1), *handmade("flat", "v2", 3, 1), route("flat", "v1"))
    kubectl.wait("Ready", "modelroute/flat", "linearmodel/flat-v2")
    left = eventually(lambda: kubectl.list("replicareports"))[0]
    kubectl.apply(left | {"metadata": {"name": "gone"}, "report": left["report"] | {"podUID": "gone", "sequence": 0}})
    kubectl.patch("modelroute", "flat", {"spec": {"version": "v2"}})
    generation = kubectl.get("modelroute", "flat")["metadata"]["generation"]
    kubectl("wait", f"--for=jsonpath={{.status.observedGeneration}}={generation}", "modelroute/flat", "--timeout=10s")
    kubectl.wait("Converged", "modelroute/flat", timeout=10)
    assert first_answer(kubectl, "http://flat/predict", {"features": {"area": 2}})[1]["prediction"] == 7
    eventually(lambda: "gone" not in {report["metadata"]["name"] for report in kubectl.list("replicareports")}, 30)
