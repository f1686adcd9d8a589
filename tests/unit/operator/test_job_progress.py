"""The message for a waiting pod whose condition may lack a reason or a message."""

import pytest

from linplane_operator.compile.job_progress import waits_for
from linplane_operator.compile.observed import Pod
from unit.operator.builders import pod


@pytest.mark.parametrize(
    ("reason", "message", "text"),
    [("Unschedulable", "no node", "Unschedulable: no node"), (None, "no node", "no node"), ("Odd", None, "Odd")],
)
def test_pod_waits_for_what_its_condition_says(reason: str | None, message: str | None, text: str) -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
    body = {**pod(), "status": {"phase": "Pending", "conditions": [condition]}}
    cause = waits_for(Pod.of(body))
    assert cause is not None
    assert cause.message == text
