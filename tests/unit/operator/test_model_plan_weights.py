"""The plan of a version whose weights are written by hand."""

import json

import pytest

from linplane_api import names
from linplane_api.artifact import parse_artifact
from linplane_api.conditions import Cause, Reason
from linplane_operator.compile.model_plan import not_applied
from unit.operator.builders import handmade, weights_from, with_meta
from unit.operator.planning import created, model, plan

SOURCE = handmade()
DIGEST = parse_artifact(SOURCE["data"]["model.json"]).digest


def by_hand(digest: str | None = None, **fields):
    """A LinearModel with weights from the ConfigMap `handmade`; `digest` pins them."""
    return model(weights=weights_from(**({"digest": digest} if digest else {})), **fields)


def copy(owner=None):
    """The sealed copy that the operator made."""
    return plan(owner or by_hand(), source=SOURCE).create[0]


def test_weights_are_copied_into_an_immutable_configmap_named_by_content():
    """One of ours; other weights get another name."""
    body = copy()
    assert body["immutable"] is True
    assert parse_artifact(body["data"][names.ARTIFACT_KEY]).digest == DIGEST
    other = plan(by_hand(), source=handmade(3.0)).create[0]
    assert body["metadata"]["name"] != other["metadata"]["name"]
    assert body["metadata"]["name"].startswith("linplane-")


@pytest.mark.parametrize("source", [None, handmade(9.0)], ids=["deleted", "edited"])
def test_copied_config_map_is_never_read_again(source):
    """Once copied, editing or deleting it changes nothing."""
    made = plan(by_hand(digest=None), artifacts=[copy()], source=source)
    assert (made.trained.reason, made.create) == (Reason.WEIGHTS_READ, ())
    assert made.verdict.file is not None
    assert made.verdict.file.digest == DIGEST


@pytest.mark.parametrize("labels", [{}, {names.LABEL_RECIPE: "another"}], ids=["removed", "changed"])
def test_edited_label_changes_nothing(labels):
    """The name says whose copy it is."""
    made = plan(by_hand(), artifacts=[with_meta(copy(), labels=labels)])
    assert (made.trained.reason, made.create) == (Reason.WEIGHTS_READ, ())


def test_copy_that_another_spec_names_is_not_used():
    """Whatever its label says, and where the status was cleared and the spec edited."""
    other = model(weights={"configMapKeyRef": {"name": "another", "key": "model.json"}})
    found = with_meta(copy(), labels=plan(other, source=SOURCE).create[0]["metadata"]["labels"])
    made = plan(other, artifacts=[found], source=SOURCE)
    assert (made.trained.reason, made.create) == (Reason.TRAINING_CHANGED, ())


@pytest.mark.parametrize(
    ("source", "pinned", "reason", "part"),
    [
        (None, None, Reason.CONFIGMAP_NOT_FOUND, "no ConfigMap handmade"),
        ({**SOURCE, "data": {}}, None, Reason.KEY_NOT_FOUND, "no key model.json"),
        ({**SOURCE, "data": None}, None, Reason.KEY_NOT_FOUND, "no key model.json"),
        ({**SOURCE, "data": {}, "binaryData": {"model.json": ""}}, None, Reason.KEY_NOT_FOUND, "is binary (not UTF-8"),
        ({**SOURCE, "data": {"model.json": "{"}}, None, Reason.INVALID_ARTIFACT, "line 1"),
        ({**SOURCE, "data": {"model.json": "{}"}}, None, Reason.INVALID_ARTIFACT, "coefficients"),
        (SOURCE, "sha256:" + "0" * 64, Reason.DIGEST_MISMATCH, DIGEST),
        (SOURCE, DIGEST, Reason.WEIGHTS_READ, "copied to"),
    ],
)
def test_reason_names_the_fault_of_the_weights(source, pinned, reason, part):
    """The message names the fault of the weights in the user's terms."""
    made = plan(by_hand(pinned), source=source)
    assert made.trained.reason is reason
    assert part in made.trained.message
    assert created(made) == (["ConfigMap"] if reason is Reason.WEIGHTS_READ else [])


def test_lost_weights_come_back_only_as_they_were():
    """From the user's ConfigMap, if it still has the same digest."""
    lost = by_hand()
    lost["status"] = {"digest": DIGEST}
    assert plan(lost, source=SOURCE).trained.reason is Reason.WEIGHTS_READ
    assert plan(lost, source=handmade(9.0)).trained.reason is Reason.ARTIFACT_LOST
    assert plan(lost).trained.reason is Reason.ARTIFACT_LOST
    assert created(plan(lost, source=handmade(9.0))) == []


def test_weights_miss_a_gate_without_its_metric():
    """There is no MSE of weights by hand."""
    gated = model(weights=weights_from(), acceptance={"maxMSE": "1"})
    made = plan(gated, source=json.loads(json.dumps(SOURCE)))
    assert (made.trained.status, made.verdict.cause.reason) == ("True", Reason.ACCEPTANCE_MISSED)


def test_taken_name_leaves_no_artifact():
    """An artifact that could not be written does not count."""
    made = not_applied(plan(model()), Cause(Reason.NAME_TAKEN, "ConfigMap x exists and is not ours"))
    assert made.trained.reason is Reason.NAME_TAKEN
    assert made.verdict.file is None
    assert made.requeue_after is not None
