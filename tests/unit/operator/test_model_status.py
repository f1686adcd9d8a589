"""A LinearModel's Validated, Ready and status, by what is known of its artifact."""

from dataclasses import replace

import msgspec
import pytest

from linplane_api import names
from linplane_api.artifact import Artifact, parse_artifact, with_checks
from linplane_api.conditions import Cause, Reason
from linplane_api.facts import Facts, LeftOutColumn, TrainingWarning, data_hash
from linplane_api.kinds import LINEAR_MODEL
from linplane_api.manifests.validation import load_schemas
from linplane_api.resources import plain
from linplane_operator.compile.change_events import news
from linplane_operator.compile.model_plan import not_applied
from linplane_operator.compile.model_status import model_status, validated_and_ready
from unit.operator.builders import artifact, text
from unit.operator.planning import COMPLETE, FAILED, ROWS, artifact_in, csv_model, error, job, model, plan, result

M = model()
TAKEN = Cause(Reason.NAME_TAKEN, "x")
GATED = model(acceptance={"minR2": "0.95"})
DIGEST = parse_artifact(text()).digest


@pytest.mark.parametrize(
    ("made", "validated", "ready"),
    [
        (plan(M), ("Unknown", Reason.NOT_TRAINED), ("False", Reason.TRAINING)),
        (
            plan(M, artifacts=[result(M, error())], jobs=[job(M, FAILED)]),
            ("Unknown", Reason.NOT_TRAINED),
            ("False", Reason.BAD_DATA),
        ),
        (plan(M, artifacts=[artifact_in(M)]), ("True", Reason.VALIDATED), ("True", Reason.VALIDATED)),
        (
            plan(GATED, artifacts=[artifact_in(GATED)]),
            ("False", Reason.ACCEPTANCE_MISSED),
            ("False", Reason.ACCEPTANCE_MISSED),
        ),
        (plan(model(digest=DIGEST)), ("False", Reason.ARTIFACT_LOST), ("False", Reason.ARTIFACT_LOST)),
        (
            plan(model(training={"data": {"synthetic": {"samples": 9}}}), artifacts=[artifact_in(M)]),
            ("False", Reason.TRAINING_CHANGED),
            ("False", Reason.TRAINING_CHANGED),
        ),
        (not_applied(plan(M), TAKEN), ("False", Reason.NAME_TAKEN), ("False", Reason.NAME_TAKEN)),
    ],
    ids=["training", "bad data", "sound", "gate missed", "lost", "changed", "name taken"],
)
def test_ready_of_a_version_follows_validated(made, validated, ready):
    """Ready is Validated, save that it says why nothing was trained."""
    conditions = validated_and_ready(made)
    assert [(c.status, c.reason) for c in conditions] == [validated, ready]


def test_frozen_version_stays_ready_and_says_that_it_is_frozen():
    """Unfreezing it is all it takes."""
    ready = validated_and_ready(plan(model(frozen=True), artifacts=[artifact_in(M)]))[1]
    assert ready.status == "True"
    assert "frozen" in ready.message


def test_status_has_the_learned_artifact():
    """Figures, digest, artifact, Job and where it serves."""
    made = plan(M, artifacts=[artifact_in(M)], jobs=[job(M, COMPLETE)])
    status = model_status(M, replace(made, serving_in=("homes",)), ())
    assert (status.samples, status.dropped_rows, status.noise, status.intercept) == (100, 3, 0.5, 1.0)
    assert [(c.feature, c.value) for c in status.coefficients or ()] == [("area", 2.0)]
    assert (status.coefficient_count, status.digest, status.trained_at) == (1, DIGEST, "2026-03-01T11:00:00Z")
    assert (status.observed_generation, status.serving_in) == (2, ("homes",))
    assert status.artifact == status.job == job(M)["metadata"]["name"]


LEFT_OUT = (LeftOutColumn("sex", "NotNumeric", 2), LeftOutColumn("note", "Empty"))
WARNINGS = (TrainingWarning("ColumnsLeftOut", "2 columns"), TrainingWarning("FewRows", "20 rows"))
FACTS = Facts(LEFT_OUT, 40, WARNINGS)


def status_with(facts, fit_intercept=True, before=M):
    training = msgspec.structs.replace(artifact().training, fit_intercept=fit_intercept)
    file = msgspec.structs.replace(artifact(), training=training).to_file("2026-03-01T11:00:00Z", facts).decode()
    sealed = {**artifact_in(M), "data": {"model.json": file}}
    return model_status(before, plan(M, artifacts=[sealed]), ())


def test_status_has_the_omissions_and_warnings_of_a_training():
    """If the status is lost, both are read from the result."""
    status = status_with(FACTS)
    assert (status.left_out, status.left_out_count, status.warnings) == (LEFT_OUT, 40, WARNINGS)
    assert (status.mse_summary, status.r2_summary) == ("1", "0.9")
    assert status.warning_summary == "ColumnsLeftOut, FewRows"
    assert load_schemas().validate({**M, "status": plain(status)}) == []


def test_training_without_warnings_leaves_no_empty_list():
    """An applied list that gets empty goes, and would be written again."""
    status = status_with(Facts())
    assert (status.left_out, status.left_out_count, status.warnings, status.warning_summary) == (None, None, None, None)


@pytest.mark.parametrize(
    ("facts", "fit_intercept", "r2", "shown"),
    [(None, True, 0.9, "0.9"), (Facts(), False, 0.9, "0.9"), (None, False, None, "-")],
)
def test_r2_about_zero_of_an_earlier_trainer_is_not_shown(facts, fit_intercept, r2, shown):
    """It cannot be compared with that of other versions."""
    status = status_with(facts, fit_intercept)
    assert status.evaluation.r2 == r2
    assert status.r2_summary == shown


def test_gates_judge_an_earlier_trainers_r2_as_before():
    """A version that passed keeps passing."""
    training = msgspec.structs.replace(artifact().training, fit_intercept=False)
    file = msgspec.structs.replace(artifact(), training=training).to_file("2026-03-01T11:00:00Z").decode()
    for gate, missed in (("0.9", False), ("0.91", True)):
        owner = model(acceptance={"minR2": gate})
        sealed = {**artifact_in(owner), "data": {"model.json": file}}
        assert bool(plan(owner, artifacts=[sealed]).verdict.missed) == missed


@pytest.mark.parametrize(
    ("gates", "missed"),
    [
        ({"maxVIF": 2500}, ()),
        ({"maxVIF": "2.4e3"}, ("maxVIF 2400: a has a variance inflation factor of up to 2500",)),
        ({"maxMSE": "1e30", "minR2": -9, "maxVIF": 2500}, ()),
    ],
)
def test_gate_of_inflation_is_judged_by_the_artifact(gates, missed):
    """Each gate by its own figure."""
    names = ("a", *artifact().features[1:])
    training = msgspec.structs.replace(artifact().training, variance_inflation=(2500.0, *[1.0] * (len(names) - 1)))
    file = msgspec.structs.replace(artifact(), features=names, training=training).to_file(None).decode()
    owner = model(acceptance=gates)
    assert plan(owner, artifacts=[{**artifact_in(owner), "data": {"model.json": file}}]).verdict.missed == missed


def test_weights_that_were_trained_elsewhere_bring_their_facts():
    """The copy of them too."""
    owner = model(training=None, weights={"configMapKeyRef": {"name": "w", "key": "k"}})
    source = {"metadata": {"name": "w"}, "data": {"k": artifact().to_file(None, FACTS).decode()}}
    made = plan(owner, source=source)
    assert model_status(owner, made, ()).warnings == WARNINGS
    assert parse_artifact(made.create[0]["data"]["model.json"]).facts == FACTS


def test_coefficients_are_listed_up_to_thirty_two():
    """The count includes the others."""
    names = tuple(f"x{number}" for number in range(40))
    wide = with_checks(Artifact(names, tuple(map(float, range(40))), 0.0)).to_file(None).decode()
    sealed = {**artifact_in(M), "data": {"model.json": wide}}
    status = model_status(M, plan(M, artifacts=[sealed]), ())
    assert (len(status.coefficients or ()), status.coefficient_count) == (32, 40)


def test_learned_figures_stay_when_the_artifact_is_lost():
    """The digest above all: only that one counts from then on."""
    lost = model(digest=DIGEST)
    status = model_status(lost, plan(lost), ())
    assert (status.digest, status.samples, status.artifact) == (DIGEST, 100, "old")


@pytest.mark.parametrize("junk", [{"samples": "many"}, {"conditions": [{"type": "Odd", "reason": "FromTheFuture"}]}])
def test_status_of_another_release_stops_nothing(junk):
    """The digest is kept in any case."""
    lost = model(digest=DIGEST)
    lost["status"] |= junk
    assert model_status(lost, plan(lost), ()).digest == DIGEST


def test_version_that_was_never_trained_has_no_learned_figures():
    """Whatever its status said without a digest."""
    bare = {**M, "status": {"samples": 5}}
    assert model_status(bare, plan(bare), ()).samples is None


def test_edited_training_data_is_one_warning_per_state():
    """One warning each, and no training. Data edited before the trainer read it counts as the learned data."""
    read = "x,y\n1,2\n"
    facts = Facts(data=data_hash(read.encode()))
    sealed = result(
        csv_model(), {names.ARTIFACT_KEY: artifact().to_file("2026-03-01T11:00:00Z", facts).decode()}, sealed=True
    )
    done = job(csv_model(), COMPLETE, source={**ROWS, "data": {"rows.csv": "before the pod mounted it"}})

    def status(rows, before=None):
        source = None if rows is None else {**ROWS, "data": {"rows.csv": rows}}
        made = plan(csv_model(), artifacts=[sealed], jobs=[done], source=source)
        assert (made.create, made.delete, made.trained.reason) == ((), (), Reason.TRAINED)
        new = plain(model_status(csv_model(), made, ()))
        return new, news(LINEAR_MODEL, {**csv_model(), "status": before or {}}, new)

    same, status_and_reason = status(read)
    assert (same.get("warnings"), status_and_reason) == (None, [])
    assert status(None, same)[1] == []
    edited, status_and_reason = status("x,y\n1,3\n", same)
    ((reason, message),) = status_and_reason
    assert (reason, "key rows.csv of ConfigMap rows was edited after the training" in message) == ("DataEdited", True)
    assert status("x,y\n1,3\n", edited)[1] == []
    assert len(status("x,y\n1,4\n", edited)[1]) == 1
    assert status(read, edited)[0] == same


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (plan(M, artifacts=[artifact_in(M)]), "valid: 1 feature"),
        (plan(M), "v1 is not trained yet"),
    ],
)
def test_validated_says_what_is_known_of_the_artifact(made, message):
    assert validated_and_ready(made)[0].message == message
