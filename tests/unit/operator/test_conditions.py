"""Times, events and lengths of conditions."""

from typing import Any

import pytest

from linplane_api.conditions import Cause, Condition, ConditionType, Reason
from linplane_operator.compile.conditions import (
    changed,
    condition,
    condition_of,
    conditions_of,
    holds,
    merge_conditions,
    warns,
    without_counts,
)
from linplane_operator.compile.observed import StatusCondition

READY, VALIDATED = ConditionType.READY, ConditionType.VALIDATED


def as_status(*conditions: Condition):
    """A status that has these."""
    return {
        "conditions": [
            {
                "type": str(c.type),
                "status": c.status,
                "reason": str(c.reason),
                "lastTransitionTime": c.last_transition_time,
            }
            for c in conditions
        ]
    }


def decoded(*conditions: dict[str, Any]) -> list[StatusCondition]:
    """The conditions as they are read."""
    return list(conditions_of({"conditions": list(conditions)}))


def test_transition_time_changes_only_with_the_status():
    """A new reason or message is not a transition."""
    (first,) = merge_conditions([condition(READY, Cause(Reason.TRAINING, "a"))], {}, 1, "t1")
    (second,) = merge_conditions([condition(READY, Cause(Reason.BAD_DATA, "b"))], as_status(first), 2, "t2")
    (third,) = merge_conditions([condition(READY, Cause(Reason.READY, "c"))], as_status(second), 2, "t3")
    assert [c.last_transition_time for c in (first, second, third)] == ["t1", "t1", "t3"]
    assert [c.observed_generation for c in (first, second, third)] == [1, 2, 2]


def test_condition_without_a_time_gets_one():
    """A user may have written the condition by hand."""
    status = {"conditions": [{"type": "Ready", "status": "True"}]}
    (one,) = merge_conditions([condition(READY, Cause(Reason.READY, ""))], status, 1, "t9")
    assert one.last_transition_time == "t9"


def test_unknown_is_a_status_of_its_own():
    """Neither true nor false."""
    (one,) = merge_conditions([condition(VALIDATED, Cause(Reason.NOT_TRAINED, ""))], {}, 1, "t1")
    (two,) = merge_conditions([condition(VALIDATED, Cause(Reason.DIGEST_MISMATCH, ""))], as_status(one), 1, "t2")
    assert (one.status, two.status) == ("Unknown", "False")
    assert two.last_transition_time == "t2"


def test_long_message_is_cut_at_the_limit_of_the_api():
    """At 1024 characters, and one sees that it was."""
    cut = condition(READY, Cause(Reason.BAD_DATA, "x" * 2000)).message
    assert (len(cut), cut[-1]) == (1024, "…")
    assert condition(READY, Cause(Reason.BAD_DATA, "x" * 1024)).message == "x" * 1024


def test_new_status_or_reason_is_an_event():
    """A message alone is none, nor is what comes by itself after something that does."""
    old = {"conditions": [{"type": "Ready", "status": "False", "reason": "BadData", "message": "1"}]}
    for status, reason, message, events in [
        ("False", "BadData", "2", 0),
        ("False", "Training", "1", 1),
        ("True", "Validated", "1", 1),
    ]:
        new = {"conditions": [{"type": "Ready", "status": status, "reason": reason, "message": message}]}
        assert len(changed(old, new)) == events
    assert len(changed({}, old)) == 1
    before = {"conditions": [{"type": "Ready", "status": "False", "reason": "Training", "message": ""}]}
    assert changed(before, {"conditions": [{**before["conditions"][0], "reason": "Pending"}]}) == []


def test_cause_shared_by_several_conditions_is_one_event():
    """Only Ready has an Event, and each condition that warns of another cause."""
    ready = {"type": "Ready", "status": "False", "reason": "VersionFrozen", "message": ""}
    accepted = {**ready, "type": "Accepted"}
    rejected = {"type": "Converged", "status": "False", "reason": "Rejected", "message": ""}
    behind = {**rejected, "reason": "ReplicasBehind"}
    assert changed({}, {"conditions": [accepted, rejected, ready]}) == decoded(rejected, ready)
    assert changed({}, {"conditions": [accepted, behind, ready]}) == decoded(ready)
    withdrawn = {"type": "Withdrawn", "status": "True", "reason": "Frozen", "message": ""}
    assert changed({"conditions": [ready]}, {"conditions": [ready, withdrawn]}) == decoded(withdrawn)


def test_reason_that_starts_to_warn_is_one_more_event():
    """A wait that cannot end is one Warning; a wait that may end is none."""

    def status(progress: str) -> dict[str, Any]:
        kinds = ("Accepted", "Ready", *filter(None, [progress]))
        rest = {"reason": "VersionNotReady", "message": ""}
        return {"conditions": [{"type": k, "status": str(k == progress or "False"), **rest} for k in kinds]}

    for before, after, due in [
        ("Reconciling", "Stalled", [("Ready", True)]),
        ("Reconciling", "", [("Ready", True)]),
        ("Reconciling", "Reconciling", []),
        ("Stalled", "Stalled", []),
        ("Stalled", "Reconciling", []),
        ("", "Stalled", []),
    ]:
        found = changed(status(before), status(after))
        assert [(item.type, warns(item.reason, status(after))) for item in found] == due, (before, after)


def test_status_without_counts_has_all_that_cannot_wait():
    """Counts and messages can be delayed."""
    one = {"loadedSummary": "1/2", "replicas": 2, "loadedReplicas": 1, "revision": "r", **as_status()}
    assert without_counts(one) == without_counts({**one, "loadedSummary": "2/2", "replicas": 3, "loadedReplicas": 2})
    assert without_counts(one) != without_counts({**one, "revision": "s"})
    old = {"conditions": [{"type": "Ready", "status": "False", "reason": "A", "message": "1"}]}
    new = {"conditions": [{"type": "Ready", "status": "False", "reason": "A", "message": "2"}]}
    assert without_counts(old) == without_counts(new)


def test_only_true_holds():
    """Absent is not."""
    assert holds({"conditions": [{"type": "Ready", "status": "True"}]}, READY)
    assert not holds({"conditions": [{"type": "Ready", "status": "False"}]}, READY)
    assert not holds({}, READY)


@pytest.mark.parametrize("conditions", [None, 7, "x", {}, [None], [7], [{}], [{"type": "Ready", "reason": 7}]])
def test_conditions_that_cannot_be_decoded_count_as_absent(conditions: Any) -> None:
    """No API server gives such; the next status takes their place."""
    status = {"conditions": conditions}
    assert conditions_of(status) == ()
    assert not holds(status, READY)
    assert changed(status, status) == []
    now = condition(READY, Cause(Reason.READY, ""))
    assert merge_conditions([now], status, 3, "t")[0].last_transition_time == "t"


def test_condition_of_a_later_release_is_decoded() -> None:
    """Of any type and reason, with fields that are not known."""
    item = {"type": "Novel", "status": "Maybe", "reason": "Later", "severity": 3, "observedGeneration": None}
    status = {"conditions": [item, {"type": "Ready", "status": "True"}]}
    assert [(c.type, c.reason) for c in conditions_of(status)] == [("Novel", "Later"), ("Ready", "")]
    found = condition_of(status, READY)
    assert found is not None
    assert found.status == "True"
    assert condition_of(status, ConditionType.TRAINED) is None
