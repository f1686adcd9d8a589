"""A training: the Task that decides the artifact, the ConfigMap for its result, and the Job that runs it."""

import hashlib
from typing import Any

import msgspec

from linplane_api import names
from linplane_api.kinds import CONFIG_MAP, JOB
from linplane_api.resources import JobSettings, LinearModelSpec, decimal, stable
from linplane_api.task import EXIT_BAD_DATA, Task

from .data_sources import CREDENTIALS_DIR, DATA_DIR, DataPlan
from .objects import Object, child, name_of, uid_of, with_users
from .pods import container_security, pod_placement, pod_resources, pod_security, pull_policy
from .settings import Settings

SERVICE_ACCOUNT = "linplane-trainer"
ANNOTATION_DATA = f"{names.GROUP}/data"
ANNOTATION_SECOND_OF = f"{names.GROUP}/second-result-of"
"""The UID of the Job that was under way when its result was deleted: it may have written to the first one."""


def make_task(spec: LinearModelSpec, data: DataPlan) -> Task:
    """The trainer's Task."""
    training = spec.training
    assert training is not None
    return Task(
        model=spec.model,
        version=spec.version,
        data=data.task_data,
        features=training.features,
        target=training.target,
        fit_intercept=training.fit_intercept,
        ridge=decimal(training.ridge),
        holdout_percent=training.holdout_percent,
        seed=training.seed,
        holdout_key=training.holdout_key,
    )


def recipe(spec: LinearModelSpec) -> str:
    """The hash of all in the spec that decides the artifact. Pod settings and the name of a Secret are not in it, so
    they never retrain.
    """
    decides: dict[str, Any] = {}
    if spec.training is not None:
        training = stable(msgspec.structs.replace(spec.training, job=None))
        for source in training["data"].values():
            if isinstance(source, dict):
                source.pop("secretName", None)
        decides["training"] = training
    if spec.weights is not None:
        decides["weights"] = stable(spec.weights)
    return hashlib.sha256(msgspec.json.encode(decides, order="sorted")).hexdigest()[:16]


def result_name(model: Object, spec: LinearModelSpec) -> str:
    """The result ConfigMap's, and the stem of the Job's name: at most 57 characters."""
    return names.child_name(name_of(model), f"{uid_of(model)}/{recipe(spec)}")


def job_name(model: Object, spec: LinearModelSpec) -> str:
    """The Job is called as its result, so that a trainer's pod name identifies its result."""
    return result_name(model, spec)


def make_result(model: Object, spec: LinearModelSpec, second_of: str = "") -> Object:
    """The empty ConfigMap that the trainer fills. `second_of`: the UID of a Job whose first one was deleted."""
    body = child(CONFIG_MAP, result_name(model, spec), model, "trainer", artifact_labels(spec))
    if second_of:
        body["metadata"]["annotations"] = {ANNOTATION_SECOND_OF: second_of}
    return {**body, "data": {}}


def artifact_labels(spec: LinearModelSpec) -> dict[str, str]:
    """How the artifacts of a version are found, and by which recipe each was made."""
    return {
        names.LABEL_MODEL: spec.model,
        names.LABEL_VERSION: spec.version,
        names.LABEL_RECIPE: recipe(spec),
    }


def make_job(model: Object, spec: LinearModelSpec, data: DataPlan, settings: Settings) -> Object:
    """The Job: one restricted pod that fits and writes its result, and fails at once if a retry cannot help."""
    job = job_settings(spec)
    name = job_name(model, spec)
    body = child(JOB, name, model, "trainer", {names.LABEL_MODEL: spec.model, names.LABEL_VERSION: spec.version})
    pod_labels = {**(job.labels or {}), **body["metadata"]["labels"]}
    body["metadata"]["annotations"] = job_annotations(spec, data.hash)
    pod_spec: Object = {
        "serviceAccountName": SERVICE_ACCOUNT,
        "automountServiceAccountToken": True,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "securityContext": pod_security(),
        "containers": [_container(name, make_task(spec, data), data, job, settings)],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}, *data.volumes],
    }
    pod_spec |= pod_placement(job)
    pod_meta = {"labels": pod_labels, "annotations": job.annotations or {}}
    body["spec"] = {
        "backoffLimit": job.backoff_limit,
        "activeDeadlineSeconds": job.active_deadline_seconds,
        "podFailurePolicy": {"rules": list(FAILURE_RULES)},
        "template": {"metadata": pod_meta, "spec": pod_spec},
    }
    return with_users(body, job.labels, job.annotations)


FAILURE_RULES: list[Object] = [
    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},  # a drained node
    {
        "action": "FailJob",
        "onExitCodes": {"containerName": names.TRAINER_CONTAINER, "operator": "In", "values": [EXIT_BAD_DATA]},
    },
]


def _container(name: str, task: Task, data: DataPlan, job: JobSettings, settings: Settings) -> Object:
    return {
        "name": names.TRAINER_CONTAINER,
        "image": settings.trainer_image,
        **pull_policy(settings),
        "args": [
            *(*task.to_arguments(), "--data-dir", DATA_DIR, "--result", f"configmap:{name}"),
            *(("--data-name", data.folder_name) if data.folder_name else ()),
            *(("--credentials-dir", CREDENTIALS_DIR) if data.secret else ()),
        ],
        "env": [
            {"name": "OPENBLAS_NUM_THREADS", "value": "1"}
        ],  # before the library is loaded: it starts its threads then
        "securityContext": container_security(),
        "resources": pod_resources(job, settings.trainer_resources),
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, *data.mounts],  # noqa: S108 - the pod's own emptyDir
        "terminationMessagePolicy": "FallbackToLogsOnError",  # its last line, if it could write no message
    }


def job_annotations(spec: LinearModelSpec, data: str) -> dict[str, str]:
    """The Job's inputs apart from its recipe: if it failed and these have changed, it is tried again."""
    settings = dict(stable(job_settings(spec)))
    if spec.training is not None and spec.training.data.secret_name:
        settings["secretName"] = spec.training.data.secret_name
    settings_hash = hashlib.sha256(msgspec.json.encode(settings, order="sorted")).hexdigest()[:16]
    return {names.ANNOTATION_JOB_SETTINGS: settings_hash} | ({ANNOTATION_DATA: data} if data else {})


def job_settings(spec: LinearModelSpec) -> JobSettings:
    """The Job settings of the spec, with the defaults."""
    return (spec.training.job if spec.training else None) or JobSettings()
