"""Retries, seals, losses and delayed deletions: the plan of a trained version over its life."""

import msgspec
import pytest

from linplane_api import names
from linplane_api.artifact import parse_artifact
from linplane_api.conditions import Reason
from linplane_api.kinds import CONFIG_MAP
from linplane_operator.compile.model_plan import unseen
from linplane_operator.compile.settings import Mode, Settings
from linplane_operator.compile.training import recipe
from unit.operator.builders import artifact, text, typed, with_meta
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
    owned_objects,
    plan,
    result,
)

DIGEST = parse_artifact(text()).digest
OTHER = parse_artifact(text(5.0)).digest
M, C = model(), csv_model()


def test_seal_applies_to_the_result_that_was_read():
    """The seal is a compare-and-swap."""
    found = artifact_in(M, sealed=False)
    assert plan(M, artifacts=[found]).seal is found


@pytest.mark.parametrize("labels", [{}, {names.LABEL_RECIPE: "another"}], ids=["removed", "changed"])
@pytest.mark.parametrize("sealed", [True, False])
def test_edited_label_changes_nothing(labels, sealed):
    """The name says what an artifact was made by."""
    found = with_meta(artifact_in(M, sealed=sealed), labels=labels)
    made = plan(M, artifacts=[found])
    assert (made.trained.reason, made.delete) == (Reason.TRAINED, ())


def test_label_does_not_change_the_recipe_of_an_artifact():
    """Whatever it says."""
    found = artifact_in(model(training={"data": {"synthetic": {"samples": 51}}}))
    mine = with_meta(found, labels=artifact_in(M)["metadata"]["labels"])
    made = plan(M, artifacts=[mine])
    assert (made.trained.reason, made.create, made.delete) == (Reason.TRAINING_CHANGED, (), ())


@pytest.mark.parametrize("change", ["settings", "data"])
def test_failed_training_is_retried_once_its_inputs_change(change):
    """The old Job and its error are deleted first, so that neither is attributed to the new Job."""
    old = [job(C, FAILED, source=ROWS)]
    around = {"artifacts": [result(C, error())], "jobs": old, "source": ROWS}
    owner = C
    if change == "settings":
        owner = csv_model()
        owner["spec"]["training"]["job"] = {"backoffLimit": 5}
    else:
        around["source"] = {**ROWS, "data": {"rows.csv": "x,y\n1,3\n"}}
    made = plan(owner, **around)
    assert (created(made), deleted(made)) == (["ConfigMap", "Job"], ["Job", "ConfigMap"])
    assert made.create[1]["metadata"]["name"] == old[0]["metadata"]["name"]
    new = {**made.create[1], "status": {"conditions": [FAILED]}}
    again = plan(owner, artifacts=[result(owner, error())], jobs=[new], source=around["source"])
    assert again.trained.reason is Reason.BAD_DATA
    assert (again.create, again.delete) == ((), ())


def test_other_keys_of_the_data_do_not_matter():
    """Only the key that is read."""
    around = {"artifacts": [result(C, error())], "jobs": [job(C, FAILED, source=ROWS)]}
    made = plan(C, **around, source={**ROWS, "data": {**ROWS["data"], "note": "x"}})
    assert made.trained.reason is Reason.BAD_DATA


def test_running_training_is_left_alone_whatever_changes():
    """Pod settings and data are for the next try."""
    owner = csv_model()
    owner["spec"]["training"]["job"] = {"backoffLimit": 5}
    made = plan(
        owner, artifacts=[result(C)], jobs=[job(C, source=ROWS, active=1)], source={**ROWS, "data": {"rows.csv": ""}}
    )
    assert (made.trained.reason, made.create, made.delete) == (Reason.TRAINING, (), ())


@pytest.mark.parametrize(
    ("training", "settings", "part"),
    [
        (
            {"data": {"persistentVolumeClaim": {"claimName": "c", "path": "p"}}, "target": "y"},
            Settings(mode=Mode.LOCAL),
            "c",
        ),
        ({"data": {"uri": "file:///rows.csv"}, "target": "y"}, Settings(), "file://"),
        ({"data": {"uri": "http/rows.csv"}, "target": "y"}, Settings(), "a path without https://"),
    ],
)
def test_unsupported_data_is_not_trained(training, settings, part):
    """It says so, and makes nothing."""
    made = plan(model(training=training), settings)
    assert (made.trained.reason, made.create) == (Reason.DATA_UNSUPPORTED, ())
    assert part in made.trained.message


def test_changed_training_deletes_the_old_job_and_its_result():
    """Before anything was learned, `training` is free to change."""
    new = model(training={"data": {"synthetic": {"samples": 99}}})
    made = plan(new, artifacts=[result(M, error())], jobs=[job(M, active=1)])
    assert (created(made), sorted(deleted(made))) == (["ConfigMap", "Job"], ["ConfigMap", "Job"])
    assert made.create[1]["metadata"]["name"] != job(M)["metadata"]["name"]


@pytest.mark.parametrize(("hours", "gone"), [(0.0, False), (0.9, False), (1.0, True), (30.0, True)])
def test_job_of_a_sealed_artifact_is_deleted_after_an_hour(hours, gone):
    """Until then the plan requests a requeue."""
    done = job(M, COMPLETE, completionTime=f"2026-0{'3-01' if hours < 24 else '2-28'}T{_hour(hours)}Z")
    made = plan(M, artifacts=[artifact_in(M)], jobs=[done])
    assert deleted(made) == (["Job"] if gone else [])
    assert made.requeue_after == (None if gone else pytest.approx(3600 * (1 - hours)))
    assert made.job == (None if gone else done["metadata"]["name"])


def _hour(hours: float) -> str:
    minutes = round((12 - hours % 24) * 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:00"


def test_job_without_a_valid_completion_time_stays():
    """The end of the Job is not guessed."""
    for status in ({}, {"completionTime": "yesterday"}, {"completionTime": "2026-03-01"}):
        made = plan(M, artifacts=[artifact_in(M)], jobs=[job(M, COMPLETE, **status)])
        assert (made.delete, made.requeue_after) == ((), None)


def test_failed_job_stays_as_the_record_of_the_failure():
    """Without it the next pass would train again."""
    old = job(M, {**FAILED, "lastTransitionTime": "2026-01-01T00:00:00Z"}, completionTime="2026-01-01T00:00:00Z")
    made = plan(M, artifacts=[result(M, error())], jobs=[old])
    assert (made.delete, made.requeue_after, made.trained.reason) == ((), None, Reason.BAD_DATA)


def test_sealed_result_without_a_status_is_a_finished_training():
    """A lost status never retrains."""
    made = plan(M, artifacts=[artifact_in(M)])
    assert (made.trained.reason, made.create, made.seal) == (Reason.TRAINED, (), None)
    assert made.verdict.file is not None
    assert made.verdict.file.digest == DIGEST


def test_training_changed_after_the_seal_is_reported():
    """Clearing the status yields no other weights, and no training."""
    changed = model(training={"data": {"synthetic": {"samples": 99}}})
    made = plan(changed, artifacts=[artifact_in(M)])
    assert (made.trained.reason, made.create, made.delete) == (Reason.TRAINING_CHANGED, (), ())
    assert made.verdict.artifact is None


def test_pod_settings_are_no_change_of_the_training():
    """They hash apart."""
    changed = model(training={"data": {"synthetic": {"samples": 50}}, "job": {"backoffLimit": 9}})
    assert plan(changed, artifacts=[artifact_in(M)]).trained.reason is Reason.TRAINED


def test_lost_artifact_is_trained_again():
    """Trained reports ArtifactLost until the end of the training."""
    lost = model(digest=DIGEST)
    made = plan(lost)
    assert (made.trained.reason, created(made)) == (Reason.ARTIFACT_LOST, ["ConfigMap", "Job"])
    assert DIGEST in made.trained.message
    assert plan(lost, jobs=[job(lost, active=1)], artifacts=[result(lost)]).trained.reason is Reason.ARTIFACT_LOST


def test_retrained_artifact_counts_only_with_the_same_digest():
    """Equal data gives equal bytes; other data does not give another meaning."""
    same = plan(model(digest=DIGEST), artifacts=[artifact_in(M, sealed=False)])
    other = plan(model(digest=OTHER), artifacts=[artifact_in(M, sealed=False)], jobs=[job(M, COMPLETE)])
    assert (same.trained.reason, same.seal is not None) == (Reason.TRAINED, True)
    assert (other.trained.reason, other.seal, other.delete) == (Reason.ARTIFACT_LOST, None, ())


VERSIONS, EXACT = {"numpy": "2.1.0", "python": "3.11"}, {"fit": "exact-1"}


AGAIN = "delete Job {job} to try again, or make a new version"
INSTEAD = "which this trainer cannot repeat: make a new version, or restore ConfigMap m1 ({problem})"


@pytest.mark.parametrize(
    ("before", "now", "why"),
    [
        (EXACT, EXACT, f"trained again with another result, so the data have changed: {{problem}}; {AGAIN}"),
        (VERSIONS, VERSIONS, f"trained again with another result (other CPU?): {{problem}}; {AGAIN}"),
        (VERSIONS, EXACT, f"trained by an earlier fit (numpy 2.1.0, python 3.11), {INSTEAD}"),
        (None, EXACT, f"trained by an earlier fit, {INSTEAD}"),
    ],
    ids=["exact", "factor", "factor-then-exact", "unknown"],
)
def test_retrained_artifact_with_another_digest_says_why(before, now, why):
    """An exact fit depends on nothing but the data; an earlier one can't be repeated at all."""
    made = artifact()
    training = msgspec.structs.replace(made.training, software=now)
    made = msgspec.structs.replace(made, training=training)
    again = result(M, {names.ARTIFACT_KEY: made.to_file("2026-03-01T11:00:00Z").decode()})
    lost = model(digest=OTHER)
    lost["status"] |= {"artifact": "m1"} | ({"software": before} if before else {})
    message = plan(lost, artifacts=[again], jobs=[job(M, COMPLETE)]).trained.message
    name = job(M)["metadata"]["name"]
    problem = f"{name} has {made.digest}, expected is {OTHER}"
    assert f"DigestMismatch: {why.format(problem=problem, job=name)}" in message


def test_refused_result_is_deleted_with_its_job():
    """Deleting the Job is the way to train again."""
    refused = artifact_in(M, sealed=False)
    made = plan(model(digest=OTHER), artifacts=[refused])
    assert (deleted(made), created(made)) == (["ConfigMap"], ["ConfigMap", "Job"])
    assert made.delete[0][1] is refused


def test_result_deleted_before_its_job_ended_is_trained_again():
    """The Job may have written to the deleted result. A Job that ends without writing a result is not repeated."""
    lost, running = model(digest=DIGEST), job(M, active=1)
    made = plan(lost, jobs=[running])
    assert created(made) == ["ConfigMap"]
    second = with_meta(made.create[0], uid="second")
    ended = {**running, "status": {"conditions": [COMPLETE]}}
    again = plan(lost, jobs=[ended], artifacts=[second])
    assert (deleted(again), created(again)) == (["Job"], ["ConfigMap", "Job"])
    assert unseen(lost, typed(lost), owned_objects(jobs=[ended], artifacts=[second])) == [
        (CONFIG_MAP, second["metadata"]["name"])
    ]
    without = plan(lost, jobs=[with_meta(ended, uid="another")], artifacts=[second])
    assert (without.delete, without.create) == ((), ())
    assert "ended without a result" in without.trained.message


def test_foreign_artifact_is_ignored():
    """An artifact that another UID controls is ignored, whatever its labels."""
    foreign = artifact_in(model(uid="u2"))
    assert created(plan(M, artifacts=[foreign])) == ["ConfigMap", "Job"]


def test_freeze_does_not_change_the_training():
    """A version frozen while it trains trains to the end."""
    cold = model(frozen=True)
    assert plan(cold, jobs=[job(M, active=1)], artifacts=[result(M)]).trained.reason is Reason.TRAINING
    assert plan(cold, artifacts=[artifact_in(M, sealed=False)]).seal is not None


@pytest.mark.parametrize(
    ("label", "by"),
    [("its own", f"recipe {recipe(typed(M))}"), ("that of the spec", "another recipe"), (None, "another recipe")],
)
def test_changed_training_names_both_recipes(label, by):
    """In the message. A label that was removed or set to the new recipe names none."""
    changed = model(training={"data": {"synthetic": {"samples": 99}}})
    now = recipe(typed(changed))
    labels = {names.LABEL_RECIPE: recipe(typed(M)) if label == "its own" else now} if label else {}
    made = plan(changed, artifacts=[with_meta(artifact_in(M), labels=labels)])
    assert made.trained.message == (
        f"training or weights were changed: the artifact was made by {by}, and the spec is now recipe {now}; "
        "a version never changes its meaning: undo the change, or make a new version"
    )


@pytest.mark.parametrize("status", [{"active": "some"}, {"conditions": 3}, "odd"])
def test_job_that_cannot_be_decoded_is_left_alone(status):
    """Even if it seems to be of other data: it may be running."""
    odd = {**job(C, source=ROWS), "status": status}
    made = plan(C, artifacts=[result(C)], jobs=[odd], source={**ROWS, "data": {"rows.csv": "x,y\n3,4\n"}})
    assert (created(made), deleted(made)) == ([], [])
    assert made.trained.reason is Reason.TRAINING
