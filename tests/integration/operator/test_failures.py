"""Every way in which a training fails: what `Trained` says, what it says to do, and that this helps.

The pods get the statuses of `fake_statuses`, all in one namespace; the Job controller is the real one.
"""

from collections.abc import Callable
from typing import Any

import pytest

from cluster.client import ApiError
from cluster.kinds import POLICY, POLICY_BINDING
from integration.cluster.objects import version
from integration.operator import fake_statuses
from integration.operator.fake_statuses import FakeStatus
from integration.operator.site import Site
from linplane_api.kinds import CONFIG_MAP, JOB, LINEAR_MODEL, POD
from linplane_api.names import LABEL_MODEL
from support import eventually

Object = dict[str, Any]
SYNTHETIC = {"data": {"synthetic": {"samples": 60, "featureCount": 2, "noise": "0.5"}}, "seed": 3}


def unless(asked: Callable[[Object], object], fake_status: FakeStatus) -> FakeStatus:
    """A fake status until the user changes the spec."""
    return lambda body: None if asked(body["spec"]) else fake_status(body)


def memory(spec: Object) -> bool:
    return spec["containers"][0].get("resources", {}).get("limits", {}).get("memory") == "2Gi"


FAKE_STATUSES: dict[str, FakeStatus] = {
    "place": lambda body: fake_statuses.unschedulable(body) if "nodeSelector" in body["spec"] else None,
    "late": fake_statuses.unschedulable,
    "image": fake_statuses.image_pull,
    "memory": unless(memory, fake_statuses.out_of_memory),
    "disk": fake_statuses.over_its_disk,
    "pressure": fake_statuses.node_pressure,
}
JOBS: dict[str, Object] = {
    "place": {"nodeSelector": {"gpu": "yes"}},
    "late": {"activeDeadlineSeconds": 4},
    "image": {},
    "memory": {"backoffLimit": 0},
    "disk": {"backoffLimit": 0},
    "pressure": {"backoffLimit": 0},
    "rights": {"backoffLimit": 0},
    "again": {"backoffLimit": 1},
}


@pytest.fixture(scope="module", autouse=True)
def trainings(site: Site) -> None:
    """All begin at once."""
    refuse_results_of(site, "rights")
    site.kubelet.fake_statuses.update(FAKE_STATUSES)
    site.kubelet.codes["again"] = [1]
    for model, job in JOBS.items():
        site.apply(version("v1", model, training={**SYNTHETIC, "job": job}))


def refuse_results_of(site: Site, model: str) -> None:
    """An administrator's own policy."""
    name = f"no-results-{site.namespace}"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["configmaps"]}
    mine = f"object.metadata.name.startsWith('linplane-{model}-')"
    trainer = f"request.userInfo.username == 'system:serviceaccount:{site.namespace}:linplane-trainer'"
    spec = {
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": f"!({mine} && {trainer})", "message": "not on a Monday", "reason": "Forbidden"}],
    }
    api = {"apiVersion": POLICY.api_version, "metadata": {"name": name}}
    binding = {"policyName": name, "validationActions": ["Deny"]}
    site.admin.create({**api, "kind": POLICY.kind, "spec": spec})
    site.admin.create({**api, "kind": POLICY_BINDING.kind, "spec": binding})


def test_pod_evicted_by_node_pressure_is_reported(site: Site) -> None:
    def said() -> bool:
        return (
            "Evicted: The node was low on resource: memory" in site.condition(LINEAR_MODEL, "pressure-v1", "Trained")[2]
        )

    eventually(said, 30)
    del site.kubelet.fake_statuses["pressure"]


def test_unschedulable_training_runs_once_its_node_selector_is_removed(site: Site) -> None:
    message = site.comes_to(LINEAR_MODEL, "place-v1", "Trained", "False", "Unschedulable")
    assert "didn't match Pod's node affinity/selector" in message
    assert "request less or other nodes in training.job" in message
    site.kubectl("patch", "lmod", "place-v1", "--type=json", "-p", '[{"op": "remove", "path": "/spec/training/job"}]')
    site.comes_to(LINEAR_MODEL, "place-v1", "Ready", "True")


def test_image_pull_failure_of_a_training_is_reported_until_it_succeeds(site: Site) -> None:
    message = site.comes_to(LINEAR_MODEL, "image-v1", "Trained", "False", "ImagePullFailed")
    assert 'ImagePullBackOff: Back-off pulling image "linplane-trainer"' in message
    assert "see also training.job.imagePullSecrets" in message
    assert "ImagePullFailed" in site.kubectl("get", "lmod", "image-v1")
    before = site.get(LINEAR_MODEL, "image-v1")["status"]["job"]
    del site.kubelet.fake_statuses["image"]
    site.comes_to(LINEAR_MODEL, "image-v1", "Ready", "True")
    assert site.get(LINEAR_MODEL, "image-v1")["status"]["job"] == before


def test_deadline_exceeded_training_runs_with_a_later_deadline(site: Site) -> None:
    message = site.comes_to(LINEAR_MODEL, "late-v1", "Trained", "False", "DeadlineExceeded")
    assert "longer than specified deadline" in message
    assert "raise training.job.activeDeadlineSeconds" in message
    assert "Unschedulable" in site.kubectl("describe", "lmod", "late-v1"), "its Events say why it took so long"
    del site.kubelet.fake_statuses["late"]
    site.patch_model("late-v1", training={"job": {"activeDeadlineSeconds": 60}})
    site.comes_to(LINEAR_MODEL, "late-v1", "Ready", "True")


def test_training_out_of_memory_runs_once_its_limit_is_raised(site: Site) -> None:
    message = site.comes_to(LINEAR_MODEL, "memory-v1", "Trained", "False", "OOMKilled")
    assert "backoff limit" in message
    assert "raise training.job.resources.limits.memory" in message
    site.patch_model("memory-v1", training={"job": {"resources": {"limits": {"memory": "2Gi"}}}})
    site.comes_to(LINEAR_MODEL, "memory-v1", "Ready", "True")


def test_training_evicted_for_its_disk_runs_once_its_job_is_deleted(site: Site) -> None:
    """Deleting a failed Job is the retry."""
    message = site.comes_to(LINEAR_MODEL, "disk-v1", "Trained", "False", "Evicted")
    assert 'Usage of EmptyDir volume "tmp" exceeds the limit' in message
    assert "delete it, or change training" in message
    del site.kubelet.fake_statuses["disk"]
    site.kubectl("delete", "job", site.get(LINEAR_MODEL, "disk-v1")["status"]["job"])
    site.comes_to(LINEAR_MODEL, "disk-v1", "Ready", "True")


def test_acceptance_missed_version_is_ready_once_its_gate_is_changed(site: Site) -> None:
    site.apply(version("v1", "gate", training=SYNTHETIC, acceptance={"maxMSE": "0.01"}))
    message = site.comes_to(LINEAR_MODEL, "gate-v1", "Ready", "False", "AcceptanceMissed")
    assert message.startswith("maxMSE 0.01: the holdout rows give 0.")
    assert "change acceptance, or make another version" in message
    assert site.condition(LINEAR_MODEL, "gate-v1", "Trained")[0] == "True"
    site.patch_model("gate-v1", acceptance={"maxMSE": "10"})
    site.comes_to(LINEAR_MODEL, "gate-v1", "Ready", "True")


def test_second_pod_of_a_job_cannot_change_a_sealed_result(site: Site) -> None:
    """The first is said to have failed after it wrote, so that its Job starts another."""
    site.comes_to(LINEAR_MODEL, "again-v1", "Ready", "True")
    status = site.get(LINEAR_MODEL, "again-v1")["status"]
    sealed = site.get(CONFIG_MAP, status["artifact"])
    selector = {"labelSelector": f"{LABEL_MODEL}=again"}
    eventually(lambda: len(site.admin.list(POD, site.namespace, **selector)) == 2, 40)
    pods = site.admin.list(POD, site.namespace, **selector)
    for name in (body["metadata"]["name"] for body in pods):
        trainer = site.plane.client_for("linplane-trainer", site.namespace, name)
        with pytest.raises(ApiError) as refused:
            trainer.patch(CONFIG_MAP, status["artifact"], {"data": {"model.json": "{}"}}, site.namespace)
        assert refused.value.code == 403
    failed = eventually(lambda: site.get(JOB, status["job"]).get("status", {}).get("failed") == 2, 90, 0.2)
    assert failed
    assert site.get(CONFIG_MAP, status["artifact"]) == sealed
    after = site.get(LINEAR_MODEL, "again-v1")["status"]
    assert {key: after[key] for key in status if key != "job"} == {key: status[key] for key in status if key != "job"}


def test_refused_result_is_reported_until_a_policy_allows_it(site: Site) -> None:
    """The trainer tries for half a minute; its last line is kept by the kubelet."""
    message = site.comes_to(LINEAR_MODEL, "rights-v1", "Trained", "False", "ResultRefused", timeout=90)
    assert "the result cannot be written" in message
    assert "not on a Monday" in message
    site.admin.delete(POLICY_BINDING, f"no-results-{site.namespace}")
    site.kubectl("delete", "job", site.get(LINEAR_MODEL, "rights-v1")["status"]["job"])
    site.comes_to(LINEAR_MODEL, "rights-v1", "Ready", "True", timeout=90)


def test_pod_evicted_by_node_pressure_does_not_count_as_a_failure(site: Site) -> None:
    """Though `backoffLimit` is 0."""
    site.comes_to(LINEAR_MODEL, "pressure-v1", "Ready", "True")
