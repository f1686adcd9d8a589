"""The table of conditions: complete, without a contradiction, and as the documentation says."""

from typing import get_args

import pytest

from linplane_api.condition_table import ROWS, TABLE, TYPES, Progress, gives, status_of
from linplane_api.conditions import ConditionType, Reason, Status

KSTATUS = (ConditionType.STALLED, ConditionType.RECONCILING)
WAITING = """
STALLED InvalidSpec BadData AcceptanceMissed TrainingChanged InvalidArtifact DigestMismatch DataUnsupported NameReserved
STALLED NameTaken ServerUnsupported RoutingFull CurrentFrozen VersionFrozen
STALLED ProgressDeadlineExceeded TrainingFailed DeadlineExceeded OOMKilled Evicted ResultRefused
RECONCILING Training Pending QuotaExceeded PodRefused Unschedulable ImagePullFailed NotTrained
RECONCILING ReplicasBehind RoutingLost
INHERITED VersionNotReady CandidateUnavailable ArtifactLost NoReplicas
"""


def test_reasons_each_have_one_row() -> None:
    assert sorted(row.reason for row in ROWS) == sorted(Reason)
    assert set(TYPES) == set(ConditionType)


def test_rows_each_have_a_meaning_and_an_action() -> None:
    for row in ROWS:
        assert row.statuses, row.reason
        assert set(row.statuses.values()) <= set(get_args(Status)), row.reason
        assert (row.meaning[-1], row.action[-1]) == (".", "."), row.reason


def test_reasons_of_true_conditions_are_neither_stalled_nor_warnings() -> None:
    for row in ROWS:
        if row.progress is not Progress.NONE or row.warns:
            assert "True" not in row.statuses.values(), row.reason


@pytest.mark.parametrize("progress", [Progress.STALLED, Progress.RECONCILING, Progress.INHERITED])
def test_progress_of_reasons(progress: Progress) -> None:
    listed = [word for line in WAITING.splitlines() if line.startswith(progress.name) for word in line.split()[1:]]
    assert sorted(row.reason for row in ROWS if row.progress is progress) == sorted(listed)


def test_condition_outside_the_table_cannot_be_built() -> None:
    for kind in set(ConditionType) - set(KSTATUS):
        for reason in Reason:
            if gives(kind, reason):
                assert status_of(kind, reason) == TABLE[reason].statuses[kind]
            else:
                with pytest.raises(ValueError, match=f"{kind} has no reason {reason}"):
                    status_of(kind, reason)


def test_stalled_and_reconciling_are_true_or_absent() -> None:
    assert status_of(ConditionType.STALLED, Reason.BAD_DATA) == "True"
    assert status_of(ConditionType.RECONCILING, Reason.TRAINING) == "True"
    assert {status_of(kind, Reason.VERSION_NOT_READY) for kind in KSTATUS} == {"True"}
    for kind, reason in [
        (ConditionType.STALLED, Reason.TRAINING),
        (ConditionType.RECONCILING, Reason.BAD_DATA),
        (ConditionType.RECONCILING, Reason.READY),
    ]:
        with pytest.raises(ValueError, match="has no reason"):
            status_of(kind, reason)
