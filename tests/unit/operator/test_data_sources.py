"""Each kind of training data: the Job that reads it never changes, and each has one class that plans it."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_api.canonical import FormatError
from linplane_api.manifests.validation import load_schemas
from linplane_api.resources import Data
from linplane_api.task import PostgresData, parse_task
from linplane_operator.compile.data_sources import SOURCES, DataPlan, DataSource, plan_data
from linplane_operator.compile.settings import Mode, Settings
from linplane_trainer.__main__ import _parser
from unit.operator.builders import Object, typed
from unit.operator.planning import ROWS, config_map_of, model, plan

SETTINGS = Settings(allowed_hosts=("data.example",), denied_addresses=("10.0.0.1",))
FOLDER = "/var/lib/linplane/data"
TMP_VOLUME = {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}
TMP_MOUNT = {"name": "tmp", "mountPath": "/tmp"}
DATA_MOUNT = {"name": "data", "mountPath": FOLDER, "readOnly": True}
CREDENTIALS = "/var/run/linplane/credentials"
CREDENTIALS_MOUNT = {"name": "credentials", "mountPath": CREDENTIALS, "readOnly": True}
JOB_SETTINGS = "1a9c842b3ff48394"


class Golden(NamedTuple):
    """A kind of data, and what its Job has of it. `name` ends with a hash of the recipe."""

    data: Object
    name: str
    task: Object
    volume: Object | None = None
    mount: Object | None = None
    data_hash: str = ""
    arguments: tuple[str, ...] = ()
    job_settings: str = JOB_SETTINGS


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
        {"name": "data", "configMap": {"name": "rows", "items": [{"key": "rows.csv", "path": "rows.csv"}]}},
        DATA_MOUNT,
        "81bf9fa83c6f7f15",
    ),
    "persistent_volume_claim": Golden(
        {"persistentVolumeClaim": {"claimName": "c", "path": "a/b.csv"}},
        "linplane-homes-v1-b03f5432a8",
        {"from": "file", "path": "a/b.csv"},
        {"name": "data", "persistentVolumeClaim": {"claimName": "c", "readOnly": True}},
        DATA_MOUNT,
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
    "s3": Golden(
        {"s3": {"bucket": "rows", "path": "sales/2026/", "endpoint": "https://data.example", "secretName": "reader"}},
        "linplane-homes-v1-29e834230b",
        {
            "from": "s3",
            "bucket": "rows",
            "path": "sales/2026/",
            "region": "us-east-1",
            "endpoint": "https://data.example",
            "secret": "reader",
            "allowedHosts": ["data.example"],
        },
        {"name": "credentials", "secret": {"secretName": "reader", "optional": True}},
        CREDENTIALS_MOUNT,
        arguments=("--credentials-dir", CREDENTIALS),
        job_settings="edb2ef5e4c03dd2d",
    ),
    "postgres": Golden(
        {"postgres": {"query": "select a, y from rows", "secretName": "warehouse"}},
        "linplane-homes-v1-0feb4d993c",
        {
            "from": "postgres",
            "query": "select a, y from rows",
            "secret": "warehouse",
            "allowedHosts": ["data.example"],
            "deniedAddresses": ["10.0.0.1"],
        },
        {"name": "credentials", "secret": {"secretName": "warehouse", "optional": True}},
        CREDENTIALS_MOUNT,
        arguments=("--credentials-dir", CREDENTIALS),
        job_settings="e7f872c1d87cfe80",
    ),
}
"""Golden Jobs by field of `Data`."""


@pytest.mark.parametrize("golden", GOLDEN.values(), ids=GOLDEN)
def test_job_of_each_kind_of_data_never_changes(golden: Golden) -> None:
    """Another name, task or annotation would train again what is trained."""
    target = None if "synthetic" in golden.data else "y"
    result, job = plan(model(training={"data": golden.data, "target": target}), SETTINGS, source=ROWS).create
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert result["metadata"]["name"] == job["metadata"]["name"] == golden.name
    hashed = {"linplane.dev/data": golden.data_hash} if golden.data_hash else {}
    assert job["metadata"]["annotations"] == {"linplane.dev/job-settings": golden.job_settings, **hashed}
    assert pod["volumes"] == [TMP_VOLUME, *([golden.volume] if golden.volume else [])]
    assert container["volumeMounts"] == [TMP_MOUNT, *([golden.mount] if golden.mount else [])]
    flag, task, *arguments = container["args"]
    assert flag == "--task"
    assert json.loads(task)["data"] == golden.task
    assert arguments == ["--data-dir", FOLDER, "--result", f"configmap:{golden.name}", *golden.arguments]


def test_secret_never_trains_again_but_starts_a_failed_training_again() -> None:
    """Its name is no part of the recipe, so no part of the Job's name; it is one of the Job's settings."""
    jobs = []
    for name in ("reader", "other", None):
        s3 = {"bucket": "rows", "path": "a.csv", **({"secretName": name} if name else {})}
        jobs.append(plan(model(training={"data": {"s3": s3}, "target": "y"}), SETTINGS).create[1]["metadata"])
    assert len({job["name"] for job in jobs}) == 1
    assert len({job["annotations"]["linplane.dev/job-settings"] for job in jobs}) == 3
    assert jobs[2]["annotations"] == {"linplane.dev/job-settings": JOB_SETTINGS}


@pytest.mark.parametrize("field", ["s3", "postgres"])
def test_secret_is_refused_where_the_installation_mounts_none(field: str) -> None:
    data, settings = GOLDEN[field].data, replace(SETTINGS, credentials=False)
    unsupported = plan_data(typed(model(training={"data": data, "target": "y"})), settings, None).unsupported
    assert unsupported == (
        f"training.data.{field}.secretName: this installation mounts no Secrets (the chart's trainer.credentials)"
    )
    anonymous = {"s3": {"bucket": "rows", "path": "a.csv"}}
    assert not plan_data(typed(model(training={"data": anonymous, "target": "y"})), settings, None).unsupported


@pytest.mark.parametrize("field", sorted(GOLDEN.keys() - {"synthetic", "postgres"}))
def test_options_of_a_csv_reach_the_task(field: str) -> None:
    """They decide the artifact, so they change the name of the Job; the usual ones are as none."""
    data, usual = GOLDEN[field].data, {"separator": ",", "decimal": "."}
    csv = {"separator": ";", "decimal": ",", "nullValues": ["?"]}
    jobs = [
        plan(model(training={"data": {**data, **more}, "target": "y"}), SETTINGS, source=ROWS).create[1]
        for more in ({}, {"csv": {}}, {"csv": usual}, {"csv": csv})
    ]
    assert jobs[0] == jobs[1] == jobs[2]
    assert jobs[0]["metadata"]["name"] != jobs[3]["metadata"]["name"]
    (container,) = jobs[3]["spec"]["template"]["spec"]["containers"]
    assert json.loads(container["args"][1])["data"] == {**GOLDEN[field].task, "csv": csv}


def test_kind_of_data_has_one_class_and_golden_values() -> None:
    assert set(SOURCES) == set(GOLDEN) == set(Data.__struct_fields__) - {"csv"}
    assert sorted(SOURCES.values(), key=repr) == sorted(DataSource.__subclasses__(), key=repr)


@pytest.mark.parametrize("golden", GOLDEN.values(), ids=GOLDEN)
def test_kind_of_data_is_accepted_by_the_crd(golden: Golden) -> None:
    target = {} if "synthetic" in golden.data else {"target": "y"}
    assert load_schemas().validate(model(training={"data": golden.data, **target})) == []


@pytest.mark.parametrize("name", ["{}-" + "n" * 247, "{}$$$(HOME)" + "-" * 200, "{}" + "é" * 248])
def test_longest_task_reaches_the_trainer(name: str) -> None:
    """As many features, with names as long, as the CRD allows; in a pod's `args`, as Kubernetes expands them."""
    features = [name.format(f"{number:04}") for number in range(4096)]
    body = model(training={"data": {"uri": "https://data.example/rows.csv"}, "target": "y", "features": features})
    (container,) = plan(body, SETTINGS).create[1]["spec"]["template"]["spec"]["containers"]
    args = [re.sub(r"\$\$", "$", re.sub(r"\$\((\w+)\)", "expanded", one)) for one in container["args"]]
    assert max(len(one.encode()) for one in args) < 128 << 10
    assert len(subprocess.check_output([sys.executable, "-c", "pass", *args])) == 0, "execve takes them"
    options = _parser().parse_args([*args])
    assert parse_task("".join(options.task)).features == tuple(features)


def test_data_of_a_newer_release_makes_no_job() -> None:
    """The API server took it by a newer CRD; what is unknown was pruned from the spec."""
    with pytest.raises(FormatError, match=r"spec\.training\.data"):
        plan(model(training={"data": {"bucket": {"name": "b"}}, "target": "y"}))


def planned(data: Object, mode: Mode, source: Object | None = None) -> DataPlan:
    """The plan for data in an installation of that mode."""
    return plan_data(typed(model(training={"data": data})), replace(SETTINGS, mode=mode), config_map_of(source))


FILE, RELATIVE = {"uri": "file:///rows.csv"}, {"uri": "rows/flats.csv"}
ONLY_IN = {"persistentVolumeClaim": Mode.CLUSTER, "uri": Mode.LOCAL}


@pytest.mark.parametrize("data", [*(golden.data for golden in GOLDEN.values()), FILE, RELATIVE], ids=str)
@pytest.mark.parametrize("mode", Mode)
def test_data_that_an_installation_can_read(data: Object, mode: Mode) -> None:
    """Claims in a cluster alone, files of the machine in local mode alone; the message names the field."""
    (field,) = data
    is_readable = data == GOLDEN["uri"].data or ONLY_IN.get(field, mode) is mode
    unsupported = planned(data, mode).unsupported
    assert unsupported == "" if is_readable else unsupported.startswith(f"training.data.{field}: ")


@pytest.mark.parametrize("mode", Mode)
def test_socket_of_a_database_is_allowed_in_local_mode_alone(mode: Mode) -> None:
    task_data = planned(GOLDEN["postgres"].data, mode).task_data
    assert isinstance(task_data, PostgresData)
    assert task_data.allow_socket == (mode is Mode.LOCAL)


TEXTS = st.none() | st.text("ab\n,é", max_size=4)


@given(st.sampled_from([golden.data for golden in GOLDEN.values()]), st.sampled_from(Mode), TEXTS, TEXTS)
def test_rows_of_a_config_map_are_only_in_the_hash(
    data: Object, mode: Mode, one: str | None, other: str | None
) -> None:
    """Each mount has its volume."""
    sources = [None if text is None else {"data": {"rows.csv": text, "note": "x"}} for text in (one, other)]
    plans = [planned(data, mode, source) for source in sources]
    is_hashed = "configMapKeyRef" in data
    assert [bool(each.hash) for each in plans] == [is_hashed and text is not None for text in (one, other)]
    assert (plans[0] == plans[1]) == (one == other or not is_hashed)
    assert replace(plans[0], hash="") == replace(plans[1], hash="")
    assert [mount["name"] for mount in plans[0].mounts] == [volume["name"] for volume in plans[0].volumes]
