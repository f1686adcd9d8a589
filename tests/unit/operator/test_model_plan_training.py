"""The plan of a trained version, in every state of its Job and result."""

import pytest

from linplane_api import names
from linplane_api.artifact import parse_artifact
from linplane_api.conditions import Reason
from linplane_api.task import EXIT_UNREACHABLE, EXIT_UNREPORTED
from unit.operator.builders import text
from unit.operator.planning import (
    COMPLETE,
    FAILED,
    ROWS,
    artifact_in,
    created,
    csv_model,
    deleted,
    error,
    job,
    model,
    plan,
    result,
)

DIGEST = parse_artifact(text()).digest
OTHER = parse_artifact(text(5.0)).digest
UNSCHEDULED = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}


def waiting(reason: str, message: str = ""):
    """A pod whose container waits."""
    state = {"waiting": {"reason": reason, "message": message}}
    return {
        "metadata": {"name": "t1"},
        "status": {"phase": "Pending", "containerStatuses": [{"name": "trainer", "state": state}]},
    }


def ended(why: str, code: int = 137, log: str = "", **status):
    """A pod whose container ended."""
    state = {"terminated": {"reason": why, "exitCode": code, "message": log}}
    return {
        "metadata": {"name": "t1"},
        "status": {"containerStatuses": [{"name": "trainer", "state": state}], **status},
    }


def changed(job_settings):
    """The same with other settings of its Job."""
    training = {**M["spec"]["training"], "job": job_settings}
    return {**M, "spec": {**M["spec"], "training": training}}


QUOTA = 'Error creating: pods "linplane-x-abcde" is forbidden: exceeded quota: q, requested: pods=1'
POLICY = "(combined from similar events): Error creating: admission webhook says no"
LATE = {"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "Job was active longer"}
REFUSED = "training failed: forbidden\nthe result cannot be written: patching is forbidden\n"
AWAY = "training failed: x\nthe API server cannot be reached: Connection refused\n"
M, C = model(), csv_model()

# name: model, what exists -> reason of Trained, created, deleted, a part of the message
CASES = {
    "nothing yet": (M, {}, Reason.TRAINING, ["ConfigMap", "Job"], [], "is being made"),
    "the result was made, the Job not": (
        M,
        {"artifacts": [result(M)]},
        Reason.TRAINING,
        ["ConfigMap", "Job"],
        [],
        "is being made",
    ),
    "waits for a place": (
        M,
        {"artifacts": [result(M)], "jobs": [job(M)]},
        Reason.PENDING,
        [],
        [],
        "waits for a place to run",
    ),
    "is suspended": (
        M,
        {
            "artifacts": [result(M)],
            "jobs": [{**job(M, active=1), "spec": {"suspend": True}}],
            "pods": [waiting("ImagePullBackOff")],
        },
        Reason.PENDING,
        [],
        [],
        "is suspended (spec.suspend); it goes on once that is false",
    ),
    "runs": (M, {"artifacts": [result(M)], "jobs": [job(M, active=1)]}, Reason.TRAINING, [], [], "runs"),
    "is about to run": (
        M,
        {"artifacts": [result(M)], "jobs": [job(M, active=1)], "pods": [waiting("ContainerCreating")]},
        Reason.TRAINING,
        [],
        [],
        "runs",
    ),
    "its image cannot be pulled": (
        M,
        {"artifacts": [result(M)], "jobs": [job(M, active=1)], "pods": [waiting("ImagePullBackOff", "no such image")]},
        Reason.IMAGE_PULL_FAILED,
        [],
        [],
        "t1: ImagePullBackOff: no such image",
    ),
    "no node takes it": (
        M,
        {
            "artifacts": [result(M)],
            "jobs": [job(M, active=1)],
            "pods": [{"metadata": {"name": "t1"}, "status": {"conditions": [UNSCHEDULED]}}],
        },
        Reason.UNSCHEDULABLE,
        [],
        [],
        "t1: Unschedulable: 0/3 nodes",
    ),
    "the result was deleted while it runs": (
        M,
        {"jobs": [job(M, active=1)]},
        Reason.TRAINING,
        ["ConfigMap"],
        [],
        "runs",
    ),
    "bad data": (
        M,
        {"artifacts": [result(M, error())], "jobs": [job(M, FAILED)]},
        Reason.BAD_DATA,
        [],
        [],
        "line 3: y: not a number (Job",
    ),
    "the trainer's own failure": (
        M,
        {"artifacts": [result(M, error("TrainingFailed", "no memory"))], "jobs": [job(M, FAILED)]},
        Reason.TRAINING_FAILED,
        [],
        [],
        "no memory (Job",
    ),
    "no word of the trainer": (
        M,
        {"artifacts": [result(M)], "jobs": [job(M, FAILED)]},
        Reason.TRAINING_FAILED,
        [],
        [],
        "Job has reached the limit (Job",
    ),
    "an error that cannot be read": (
        M,
        {"artifacts": [result(M, {names.ERROR_KEY: "{"})], "jobs": [job(M, FAILED)]},
        Reason.TRAINING_FAILED,
        [],
        [],
        "Job has reached the limit",
    ),
    "killed for its memory": (
        M,
        {"artifacts": [result(M)], "jobs": [job(M, FAILED)], "pods": [ended("OOMKilled")]},
        Reason.OOM_KILLED,
        [],
        [],
        "pod t1: OOMKilled",
    ),
    "evicted": (
        M,
        {
            "artifacts": [result(M)],
            "jobs": [job(M, FAILED)],
            "pods": [ended("Error", reason="Evicted", message="disk pressure")],
        },
        Reason.EVICTED,
        [],
        [],
        "pod t1: Evicted: disk pressure",
    ),
    "no room in a quota": (
        M,
        {"artifacts": [result(M)], "jobs": [job(M)], "refusal": QUOTA},
        Reason.QUOTA_EXCEEDED,
        [],
        [],
        "gets no pod: exceeded quota: q, requested: pods=1; it goes on",
    ),
    "refused by an admission policy": (
        M,
        {"artifacts": [result(M)], "jobs": [job(M)], "refusal": POLICY},
        Reason.POD_REFUSED,
        [],
        [],
        "gets no pod: admission webhook says no; it goes on",
    ),
    "other settings before it could begin": (
        changed({"nodeSelector": {"a": "b"}}),
        {"artifacts": [result(M)], "jobs": [job(M, active=1)], "pods": [waiting("ErrImagePull")]},
        Reason.TRAINING,
        ["ConfigMap", "Job"],
        ["Job"],
        "is being made",
    ),
    "other settings before it got a pod": (
        changed({"nodeSelector": {"a": "b"}}),
        {"artifacts": [result(M)], "jobs": [job(M)], "refusal": QUOTA},
        Reason.TRAINING,
        ["ConfigMap", "Job"],
        ["Job"],
        "is being made",
    ),
    "other settings while it runs": (
        changed({"nodeSelector": {"a": "b"}}),
        {"artifacts": [result(M)], "jobs": [job(M, active=1)], "pods": [{"status": {"phase": "Running"}}]},
        Reason.TRAINING,
        [],
        [],
        "runs",
    ),
    "between two tries": (
        M,
        {"artifacts": [result(M)], "jobs": [job(M)], "pods": [ended("OOMKilled", phase="Failed")]},
        Reason.PENDING,
        [],
        [],
        "is about to try again; pod t1: OOMKilled",
    ),
    "too late": (
        M,
        {"artifacts": [result(M)], "jobs": [job(M, LATE)], "pods": [ended("OOMKilled")]},
        Reason.DEADLINE_EXCEEDED,
        [],
        [],
        "Job was active longer; pod t1: OOMKilled; the Events",
    ),
    "the result could not be written": (
        M,
        {"artifacts": [result(M)], "jobs": [job(M, FAILED)], "pods": [ended("Error", EXIT_UNREPORTED, REFUSED)]},
        Reason.RESULT_REFUSED,
        [],
        [],
        "Job has reached the limit; pod t1: the result cannot be written: patching is forbidden; let",
    ),
    "the result could not be written by any of three pods": (
        M,
        {"artifacts": [result(M)], "jobs": [job(M, FAILED)], "pods": [ended("Error", EXIT_UNREPORTED, REFUSED)] * 3},
        Reason.RESULT_REFUSED,
        [],
        [],
        "limit; 3 pods: the result cannot be written: patching is forbidden; let linplane-trainer patch that",
    ),
    "no pod can reach the API server": (
        M,
        {"artifacts": [result(M)], "jobs": [job(M, FAILED)], "pods": [ended("Error", EXIT_UNREACHABLE, AWAY)] * 3},
        Reason.RESULT_REFUSED,
        [],
        [],
        "limit; 3 pods could not reach the API server (Connection refused): check NetworkPolicies (Job linplane-",
    ),
    "a pod cannot reach the API server and its log is gone": (
        M,
        {"artifacts": [result(M)], "jobs": [job(M, FAILED)], "pods": [ended("Error", EXIT_UNREACHABLE)]},
        Reason.RESULT_REFUSED,
        [],
        [],
        "pod t1 could not reach the API server (exit code 5): check NetworkPolicies",
    ),
    "ended without a result": (
        M,
        {"artifacts": [result(M)], "jobs": [job(M, COMPLETE)]},
        Reason.TRAINING_FAILED,
        [],
        [],
        "ended without a result",
    ),
    "ended, and its result was deleted": (
        M,
        {"jobs": [job(M, COMPLETE)]},
        Reason.TRAINING,
        ["ConfigMap", "Job"],
        ["Job"],
        "is being made",
    ),
    "its Job was deleted to try again": (
        M,
        {"artifacts": [result(M, error())]},
        Reason.TRAINING,
        ["ConfigMap", "Job"],
        ["ConfigMap"],
        "is being made",
    ),
    "finished": (
        M,
        {"artifacts": [artifact_in(M, sealed=False)], "jobs": [job(M, COMPLETE)]},
        Reason.TRAINED,
        [],
        [],
        "100 samples",
    ),
    "finished, though its Job failed": (
        M,
        {"artifacts": [artifact_in(M, sealed=False)], "jobs": [job(M, FAILED)]},
        Reason.TRAINED,
        [],
        [],
        "100 samples",
    ),
    "finished with what is no artifact": (
        M,
        {"artifacts": [result(M, {names.ARTIFACT_KEY: "{}"})], "jobs": [job(M, COMPLETE)]},
        Reason.INVALID_ARTIFACT,
        [],
        [],
        "; delete Job linplane-homes-v1-7df6e4280e to try again, or make a new version",
    ),
    "no data": (C, {}, Reason.DATA_NOT_FOUND, [], [], "there is no ConfigMap rows"),
    "no such key in the data": (
        C,
        {"source": {"metadata": {"name": "rows"}, "data": {"other": ""}}},
        Reason.DATA_NOT_FOUND,
        [],
        [],
        "has no key rows.csv",
    ),
    "data that is not UTF-8": (
        C,
        {"source": {"metadata": {"name": "rows"}, "binaryData": {"rows.csv": ""}}},
        Reason.DATA_NOT_FOUND,
        [],
        [],
        "ConfigMap rows: key rows.csv is binary (not UTF-8 text)",
    ),
    "data": (C, {"source": ROWS}, Reason.TRAINING, ["ConfigMap", "Job"], [], "is being made"),
    "the data goes while it runs": (
        C,
        {"artifacts": [result(C)], "jobs": [job(C, source=ROWS, active=1)]},
        Reason.TRAINING,
        [],
        [],
        "runs",
    ),
    "the data was bad and is gone": (
        C,
        {"artifacts": [result(C, error())], "jobs": [job(C, FAILED, source=ROWS)]},
        Reason.DATA_NOT_FOUND,
        [],
        [],
        "there is no ConfigMap rows",
    ),
    "the data is as bad as before": (
        C,
        {"artifacts": [result(C, error())], "jobs": [job(C, FAILED, source=ROWS)], "source": ROWS},
        Reason.BAD_DATA,
        [],
        [],
        "line 3",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_plan_creates_deletes_and_explains_by_the_state_of_a_training(name):
    """The created kinds, the deleted kinds, and Trained."""
    owner, around, reason, makes, takes, part = CASES[name]
    made = plan(owner, **around)
    assert made.trained.reason is reason
    assert part in made.trained.message
    assert (created(made), deleted(made)) == (makes, takes)
    assert made.trained.status == ("True" if reason is Reason.TRAINED else "False")
    assert (made.seal is not None) == (reason is Reason.TRAINED)
