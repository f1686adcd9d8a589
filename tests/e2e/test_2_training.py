"""Sources of a model's coefficients, and failures of a training as a user sees them."""

import csv
import io
from typing import Any

import pytest

from e2e.chart import CHART, RELEASE, SYSTEM
from e2e.conftest import ENFORCE, ROOT, MakeNamespace, values
from e2e.kubectl import Kubectl, first_answer, helm, image, restricted_pod, run
from e2e.objects import Object, config_map, handmade, route, service, trained
from support import eventually

PENGUINS = (ROOT / "manifests/examples/penguins/penguins.csv").read_text("utf-8")
COLUMNS = {"features": ["flipper_length_mm"], "target": "body_mass_g", "seed": 7}
MASS = 4206.616657797  # of a flipper of 201 mm, as in test_1_install


def _serve(kubectl: Kubectl, model: str) -> None:
    kubectl.apply(route(model, "v1"))
    kubectl.wait("Ready", f"modelroute/{model}")


def _predict(kubectl: Kubectl, model: str, features: dict[str, float]) -> float:
    status, answer = first_answer(kubectl, f"http://{model}/predict", {"features": features})
    assert status == 200, answer
    return float(answer["prediction"])


def test_weights_written_by_hand_are_served(kubectl: Kubectl) -> None:
    kubectl.apply(*handmade("flat", "v1", 12.3, 7))
    _serve(kubectl, "flat")
    assert _predict(kubectl, "flat", {"area": 2}) == pytest.approx(31.6, rel=1e-12)
    assert kubectl.get("linearmodel", "flat-v1")["status"]["conditions"][0]["reason"] == "WeightsRead"


def test_synthetic_data_trains_a_version(kubectl: Kubectl) -> None:
    data = {"synthetic": {"samples": 200, "featureCount": 3, "noise": "0.2"}}
    kubectl.apply(trained("made-up", "v1", data, seed=7))
    _serve(kubectl, "made-up")
    status = kubectl.get("linearmodel", "made-up-v1")["status"]
    learned = {c["feature"]: float(c["value"]) for c in status["coefficients"]}
    assert set(learned) == {"x1", "x2", "x3"}
    assert float(status["evaluation"]["r2"]) > 0.9
    features = {"x1": 1.0, "x2": -2.0, "x3": 0.5}
    expected = float(status["intercept"]) + sum(learned[name] * value for name, value in features.items())
    assert _predict(kubectl, "made-up", features) == pytest.approx(expected, rel=1e-12)


# ---- files ----


def _volume(name: str, folder: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "10Mi"},
            "accessModes": ["ReadWriteMany"],
            "storageClassName": "",
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": folder, "type": "DirectoryOrCreate"},
        },
    }


def _claim(volume: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "storageClassName": "",
            "volumeName": volume,
            "resources": {"requests": {"storage": "10Mi"}},
        },
    }


def _fill(kubectl: Kubectl) -> None:
    """Writes the data into the claim, as root: a new folder on the node belongs to root."""
    script = "import shutil; shutil.copy('/data/penguins.csv', '/claim/penguins.csv')"
    pod = restricted_pod(
        "fill",
        {
            "command": ["python", "-c", script],
            "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "claim", "mountPath": "/claim"}],
            "securityContext": {"runAsUser": 0},
        },
        securityContext={},
        volumes=[
            {"name": "data", "configMap": {"name": "penguins"}},
            {"name": "claim", "persistentVolumeClaim": {"claimName": "data"}},
        ],
    )
    kubectl.apply(config_map("penguins", {"penguins.csv": PENGUINS}), pod)
    kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/fill", "--timeout=60s")


def test_training_reads_a_file_of_a_volume_claim(make_namespace: MakeNamespace) -> None:
    kubectl = make_namespace("privileged")
    volume = kubectl.namespace
    kubectl.apply(_volume(volume, f"/var/lib/linplane-e2e/{volume}"), _claim(volume))
    _fill(kubectl)
    run(["kubectl", "label", "namespace", kubectl.namespace, "--overwrite", f"{ENFORCE}=restricted"])
    data = {"persistentVolumeClaim": {"claimName": "data", "path": "penguins.csv"}}
    kubectl.apply(trained("claimed", "v1", data, **COLUMNS))
    _serve(kubectl, "claimed")
    assert _predict(kubectl, "claimed", {"flipper_length_mm": 201}) == pytest.approx(MASS, abs=1e-6)
    run(["kubectl", "delete", "persistentvolume", volume, "--wait=false"])


def test_training_fetches_a_file_from_a_server_in_the_cluster(kubectl: Kubectl) -> None:
    pod = restricted_pod(
        "files",
        {
            "command": ["python", "-m", "http.server", "8000", "--directory", "/data"],
            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            "readinessProbe": {"httpGet": {"path": "/penguins.csv", "port": 8000}, "periodSeconds": 1},
        },
        volumes=[{"name": "data", "configMap": {"name": "penguins"}}],
    )
    kubectl.apply(config_map("penguins", {"penguins.csv": PENGUINS}), service("files", 8000), pod)
    kubectl.wait("Ready", "pod/files")
    uri = f"http://files.{kubectl.namespace}.svc.cluster.local/penguins.csv"
    kubectl.apply(trained("fetched", "v1", {"uri": uri}, **COLUMNS))
    _serve(kubectl, "fetched")
    assert _predict(kubectl, "fetched", {"flipper_length_mm": 201}) == pytest.approx(MASS, abs=1e-6)


# ---- failures ----


def _says(kubectl: Kubectl, model: str, reason: str, *words: str, timeout: float = 90) -> None:
    """Waits until `Trained` is false for this reason, with these words in its message."""

    def said() -> bool:
        found = kubectl.condition("linearmodel", f"{model}-v1", "Trained")
        assert (found.get("status"), found.get("reason")) == ("False", reason), found
        assert all(word in found["message"] for word in words), found
        return True

    eventually(said, timeout, interval=0.5)
    assert reason in kubectl("get", "linearmodels")
    described = kubectl("describe", "linearmodel", f"{model}-v1")
    assert all(word in described for word in words), described


def _penguins(kubectl: Kubectl, model: str, job: Object | None = None, **training: Any) -> None:
    kubectl.apply(config_map("penguins", {"penguins.csv": PENGUINS}))
    data = {"configMapKeyRef": {"name": "penguins", "key": "penguins.csv"}}
    kubectl.apply(trained(model, "v1", data, **COLUMNS | training, **({"job": job} if job else {})))


def test_missing_target_column_fails_the_training_until_the_data_has_it(kubectl: Kubectl) -> None:
    """Once the data has the column, the training is retried without any action."""
    _penguins(kubectl, "typo", target="body_mas_g")
    _says(kubectl, "typo", "BadData", "body_mas_g")
    kubectl.apply(config_map("penguins", {"penguins.csv": PENGUINS.replace("body_mass_g", "body_mas_g", 1)}))
    kubectl.wait("Trained", "linearmodel/typo-v1")


def test_missing_data_config_map_fails_the_training(kubectl: Kubectl) -> None:
    data = {"configMapKeyRef": {"name": "nowhere", "key": "penguins.csv"}}
    kubectl.apply(trained("nowhere", "v1", data, **COLUMNS))
    _says(kubectl, "nowhere", "DataNotFound", "nowhere")


def test_data_uri_of_the_api_server_is_refused(kubectl: Kubectl) -> None:
    """A URI of the API server by its name in the cluster: a trainer must not be used to reach it."""
    kubectl.apply(trained("curious", "v1", {"uri": "https://kubernetes.default.svc/version"}, **COLUMNS))
    _says(kubectl, "curious", "BadData", "the API server's")


def test_training_with_too_little_memory_is_reported(kubectl: Kubectl) -> None:
    _penguins(kubectl, "thirsty", job={"backoffLimit": 0, "resources": {"limits": {"memory": "24Mi"}}})
    _says(kubectl, "thirsty", "OOMKilled", "raise training.job.resources.limits.memory")


def test_deadline_ends_a_training_whose_data_never_arrives(kubectl: Kubectl) -> None:
    """The server at the address accepts the connection and never answers, so the training would wait."""
    script = "import socket, time; listener = socket.create_server(('', 8000)); time.sleep(1e6)"
    probe = {"tcpSocket": {"port": 8000}, "periodSeconds": 1}
    kubectl.apply(
        service("silent", 8000),
        restricted_pod("silent", {"command": ["python", "-c", script], "readinessProbe": probe}),
    )
    kubectl.wait("Ready", "pod/silent")
    data = {"uri": f"http://silent.{kubectl.namespace}.svc.cluster.local/data.csv"}
    kubectl.apply(trained("late", "v1", data, job={"activeDeadlineSeconds": 5}, **COLUMNS))
    _says(kubectl, "late", "DeadlineExceeded", "raise training.job.activeDeadlineSeconds")


def test_quota_delays_a_training_until_there_is_room(kubectl: Kubectl) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}}}
    kubectl.apply(quota)
    eventually(lambda: "used" in kubectl.get("resourcequota", "few").get("status", {}))
    _penguins(kubectl, "crowded")
    _says(kubectl, "crowded", "QuotaExceeded", "exceeded quota: few")
    kubectl("delete", "resourcequota", "few")
    kubectl.wait("Trained", "linearmodel/crowded-v1")


def test_missing_trainer_image_fails_the_training_until_it_is_corrected(kubectl: Kubectl) -> None:
    """A mistake in the chart's values. Once it is corrected, deleting the Job retries the training."""
    upgrade = ("upgrade", RELEASE, str(CHART), f"--namespace={SYSTEM}", "--wait", *values())
    try:
        helm(*upgrade, "--set=trainer.image.tag=nope")
        _penguins(kubectl, "lost")
        _says(kubectl, "lost", "ImagePullFailed", image("linplane-trainer").rpartition(":")[0])
    finally:
        helm(*upgrade)
    kubectl("delete", "job", "--all")
    kubectl.wait("Trained", "linearmodel/lost-v1")


def test_training_status_counts_rows_and_dropped_rows(kubectl: Kubectl) -> None:
    """The status reports the rows that were left out: two penguins were not measured."""
    rows = list(csv.DictReader(io.StringIO(PENGUINS)))
    dropped = sum("NA" in (row["flipper_length_mm"], row["body_mass_g"]) for row in rows)
    _penguins(kubectl, "counted", holdoutPercent=0)
    kubectl.wait("Trained", "linearmodel/counted-v1")
    status = kubectl.get("linearmodel", "counted-v1")["status"]
    assert (status["samples"], status["droppedRows"]) == (len(rows) - dropped, dropped)
