"""The training Job and its task: what decides the artifact, and what does not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_api import names
from linplane_api.resources import ModelRouteSpec, ServiceSettings, parse_spec
from linplane_api.task import EXIT_BAD_DATA, FileData, SyntheticData, UriData, parse_task
from linplane_operator.compile.data_sources import plan_data
from linplane_operator.compile.services import make_route_service
from linplane_operator.compile.settings import Mode, Settings
from linplane_operator.compile.training import (
    job_annotations,
    job_name,
    make_job,
    make_result,
    make_task,
    recipe,
    result_name,
)
from unit.operator.builders import csv_training, linear_model, model_route, typed, with_meta
from unit.operator.planning import ROWS, SETTINGS, config_map_of, csv_model, model

ROWS_HASH = "81bf9fa83c6f7f15"
LOCAL = Settings(mode=Mode.LOCAL, allowed_hosts=("data.example",), denied_addresses=("10.0.0.1",))


def task_of(owner, settings):
    """The Task of a LinearModel."""
    return make_task(typed(owner), plan_data(typed(owner), settings, None))


def made(owner, source=None):
    """The Job of a LinearModel."""
    return make_job(owner, typed(owner), plan_data(typed(owner), SETTINGS, config_map_of(source)), SETTINGS)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"synthetic": {"samples": 9, "featureCount": 2, "noise": "0.5"}}, SyntheticData(9, 2, 0.5)),
        ({"configMapKeyRef": {"name": "rows", "key": "rows.csv"}}, FileData("rows.csv")),
        ({"persistentVolumeClaim": {"claimName": "c", "path": "a/b.csv"}}, FileData("a/b.csv")),
        ({"uri": "https://x/y"}, UriData("https://x/y", ("data.example",), ("10.0.0.1",), False)),
    ],
)
def test_task_names_the_source_of_the_rows(data, expected):
    """In the trainer's own terms; the trainer reads it back as it was written."""
    settings = Settings(allowed_hosts=("data.example",), denied_addresses=("10.0.0.1",))
    task = task_of(model(training={"data": data, "target": "y", "ridge": "1e-6"}), settings)
    assert task.data == expected
    assert task.ridge == 1e-6
    assert parse_task(task.to_text()) == task


def test_file_uri_is_read_in_local_mode():
    """Only if the settings of the installation allow it."""
    task = task_of(model(training={"data": {"uri": "file:///rows.csv"}, "target": "y"}), LOCAL)
    assert task.data == UriData("file:///rows.csv", ("data.example",), ("10.0.0.1",), True)


def test_pod_settings_never_retrain_and_everything_else_does():
    """The recipe hashes what decides the artifact."""
    base = csv_training()
    spec = typed(linear_model(training=base))
    same = [{**base, "job": {"backoffLimit": 7}}, {**base, "ridge": "0"}]
    other = [{**base, "seed": 1}, {**base, "features": ["x"]}, {**base, "ridge": 1}, {**base, "target": "z"}]
    assert {recipe(typed(linear_model(training=t))) for t in same} == {recipe(spec)}
    assert recipe(spec) not in {recipe(typed(linear_model(training=t))) for t in other}
    assert recipe(typed(linear_model(training=base, frozen=True, acceptance={"minR2": 0}))) == recipe(spec)


@given(st.text("abc", min_size=1, max_size=63), st.text("12", min_size=1, max_size=32), st.uuids().map(str))
def test_names_are_short_ours_and_of_this_very_object(name, version, uid):
    """At most 57 characters, so a Job's pods have room; a LinearModel created again gets another name."""
    owner = model(version, uid, model=name)
    one = result_name(owner, typed(owner))
    assert len(one) <= 57
    assert one.startswith("linplane-")
    assert one == job_name(owner, typed(owner))
    assert one != result_name(with_meta(owner, uid="other"), typed(owner))


def test_job_is_restricted_and_fails_at_once_if_a_retry_cannot_help():
    """Exit code of bad data; a drained node does not count; no TTL, for a failure is remembered."""
    spec = made(model())["spec"]
    ignored, fails = spec["podFailurePolicy"]["rules"]
    assert ignored["action"] == "Ignore"
    assert ignored["onPodConditions"][0]["type"] == "DisruptionTarget"
    assert (fails["action"], fails["onExitCodes"]["values"]) == ("FailJob", [EXIT_BAD_DATA])
    assert "ttlSecondsAfterFinished" not in spec
    pod = spec["template"]["spec"]
    assert pod["restartPolicy"] == "Never"
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["containers"][0]["securityContext"]["allowPrivilegeEscalation"] is False


def test_job_passes_its_task_and_its_result_to_the_trainer():
    """The result is named as the Job, which is how a trainer's rights are narrowed to it."""
    body = made(csv_model())
    container = body["spec"]["template"]["spec"]["containers"][0]
    args = container["args"]
    assert args[args.index("--result") + 1] == f"configmap:{body['metadata']['name']}"
    assert json.loads(args[args.index("--task") + 1])["target"] == "y"
    volumes = {v["name"]: v for v in body["spec"]["template"]["spec"]["volumes"]}
    assert volumes["data"]["configMap"] == {"name": "rows", "items": [{"key": "rows.csv", "path": "rows.csv"}]}
    assert {m["name"] for m in container["volumeMounts"]} == set(volumes)


def test_pod_settings_of_the_user_are_applied_and_cannot_replace_ours():
    """Labels of ours win; limits, places and secrets are passed on."""
    settings = {
        "backoffLimit": 0,
        "activeDeadlineSeconds": 9,
        "resources": {"limits": {"memory": "1Gi"}},
        "nodeSelector": {"a": "b"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "labels": {"team": "x", names.LABEL_MODEL: "theirs"},
        "annotations": {"note": "y"},
    }
    owner = model(training={"data": {"synthetic": {"samples": 9}}, "job": settings})
    spec = made(owner)["spec"]
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"]) == (0, 9)
    template = spec["template"]
    assert template["metadata"]["labels"]["team"] == "x"
    assert template["metadata"]["labels"][names.LABEL_MODEL] == "homes"
    assert template["metadata"]["annotations"] == {"note": "y"}
    assert template["spec"]["containers"][0]["resources"] == {"limits": {"memory": "1Gi"}}
    assert template["spec"]["nodeSelector"] == {"a": "b"}
    assert template["spec"]["tolerations"] == [{"key": "gpu", "operator": "Exists"}]


def test_labels_and_annotations_reach_the_job_itself_and_never_retrain():
    """A queueing system reads the Job, not its pods; our own keys stay ours."""
    added = {"labels": {"kueue.x-k8s.io/queue-name": "nightly", names.LABEL_VERSION: "theirs", names.LABEL_NAME: "x"}}
    added |= {"annotations": {"cost-centre": "7", names.ANNOTATION_JOB_SETTINGS: "theirs"}}
    plain, owner = csv_training(), model(training={**csv_training(), "job": added})
    metadata = made(owner, ROWS)["metadata"]
    assert metadata["labels"] == {**made(model())["metadata"]["labels"], "kueue.x-k8s.io/queue-name": "nightly"}
    assert metadata["annotations"] == {**job_annotations(typed(owner), ROWS_HASH), "cost-centre": "7"}
    assert recipe(typed(owner)) == recipe(typed(model(training=plain)))


def test_service_has_the_metadata_of_its_route_and_ours():
    """Labels and annotations, as for a mesh or a load balancer."""
    route = with_meta(model_route(service={"labels": {"team": "x", names.LABEL_ROUTE: "theirs"}}), uid="r")
    spec = parse_spec(route, ModelRouteSpec)
    bare = make_route_service(route, None, grpc=False)
    assert "annotations" not in bare["metadata"]
    labels = make_route_service(route, spec.service, grpc=False)["metadata"]["labels"]
    assert labels == {**bare["metadata"]["labels"], "team": "x"}
    noted = make_route_service(route, ServiceSettings(annotations={"a": "b"}), grpc=False)
    assert noted["metadata"] == {**bare["metadata"], "annotations": {"a": "b"}}


def test_claim_is_mounted_read_only():
    """The trainer never writes to the volume of the data."""
    data = {"persistentVolumeClaim": {"claimName": "c", "path": "p.csv"}}
    body = made(model(training={"data": data, "target": "y"}))
    volumes = {v["name"]: v for v in body["spec"]["template"]["spec"]["volumes"]}
    assert volumes["data"]["persistentVolumeClaim"] == {"claimName": "c", "readOnly": True}


def test_claim_name_is_passed_to_the_trainer():
    """`claim c has no file p.csv`; other data has no such name."""
    data = {"persistentVolumeClaim": {"claimName": "c", "path": "p.csv"}}
    arguments, plain = (
        made(one)["spec"]["template"]["spec"]["containers"][0]["args"]
        for one in (model(training={"data": data, "target": "y"}), model())
    )
    assert arguments[arguments.index("--data-name") + 1] == "claim c"
    assert "--data-name" not in plain


def test_result_is_created_empty_for_the_trainer():
    """Labelled by model, version and recipe, and owned by the LinearModel."""
    owner = model()
    body = make_result(owner, typed(owner))
    labels = body["metadata"]["labels"]
    assert body["data"] == {}
    assert (labels[names.LABEL_MODEL], labels[names.LABEL_VERSION]) == ("homes", "v1")
    assert labels[names.LABEL_RECIPE] == recipe(typed(owner))
    assert body["metadata"]["ownerReferences"][0]["uid"] == "u1"
