"""Each kind of training data: the Job that reads it never changes, and each has one class that plans it."""

import json
from typing import NamedTuple

import pytest

from linplane_operator.compile.objects import Settings
from unit.operator.builders import Object
from unit.operator.planning import ROWS, model, plan

SETTINGS = Settings(allowed_hosts=("data.example",), denied_addresses=("10.0.0.1",))
FOLDER = "/var/lib/linplane/data"
TMP_VOLUME = {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}
TMP_MOUNT = {"name": "tmp", "mountPath": "/tmp"}
DATA_MOUNT = {"name": "data", "mountPath": FOLDER, "readOnly": True}
JOB_SETTINGS = {"linplane.dev/job-settings": "1a9c842b3ff48394"}


class Golden(NamedTuple):
    """A kind of data, and what its Job has of it. `name` ends with a hash of the recipe."""

    data: Object
    name: str
    task: Object
    volume: Object | None = None
    data_hash: str = ""
    arguments: tuple[str, ...] = ()


GOLDEN = {
    "synthetic": Golden(
        {"synthetic": {"samples": 50}},
        "linplane-homes-v1-7df6e4280e",
        {"from": "synthetic", "samples": 50, "featureCount": 3, "noise": 0.1},
    ),
    "config_map_key_ref": Golden(
        {"configMapKeyRef": {"name": "rows", "key": "rows.csv"}},
        "linplane-homes-v1-6fc86ecae2",
        {"from": "file", "path": "rows.csv"},
        {"configMap": {"name": "rows", "items": [{"key": "rows.csv", "path": "rows.csv"}]}},
        "81bf9fa83c6f7f15",
    ),
    "persistent_volume_claim": Golden(
        {"persistentVolumeClaim": {"claimName": "c", "path": "a/b.csv"}},
        "linplane-homes-v1-b03f5432a8",
        {"from": "file", "path": "a/b.csv"},
        {"persistentVolumeClaim": {"claimName": "c", "readOnly": True}},
        arguments=("--data-name", "claim c"),
    ),
    "uri": Golden(
        {"uri": "https://data.example/rows.csv"},
        "linplane-homes-v1-ecf4373b61",
        {
            "from": "uri",
            "uri": "https://data.example/rows.csv",
            "allowedHosts": ["data.example"],
            "deniedAddresses": ["10.0.0.1"],
            "allowFile": False,
        },
    ),
}
"""By field of `Data`."""


@pytest.mark.parametrize("golden", GOLDEN.values(), ids=GOLDEN)
def test_the_job_of_each_kind_of_data_never_changes(golden: Golden) -> None:
    """Another name, task or annotation would train again what is trained."""
    target = None if "synthetic" in golden.data else "y"
    result, job = plan(model(training={"data": golden.data, "target": target}), SETTINGS, source=ROWS).create
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert result["metadata"]["name"] == job["metadata"]["name"] == golden.name
    hashed = {"linplane.dev/data": golden.data_hash} if golden.data_hash else {}
    assert job["metadata"]["annotations"] == {**JOB_SETTINGS, **hashed}
    assert pod["volumes"] == [TMP_VOLUME, *([{"name": "data", **golden.volume}] if golden.volume else [])]
    assert container["volumeMounts"] == [TMP_MOUNT, *([DATA_MOUNT] if golden.volume else [])]
    flag, task, *arguments = container["args"]
    assert flag == "--task"
    assert json.loads(task)["data"] == golden.task
    assert arguments == ["--data-dir", FOLDER, "--result", f"configmap:{golden.name}", *golden.arguments]
