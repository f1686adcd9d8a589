"""Actions of the app that may fail."""

from linplane_operator.local.attempts import Attempts
from unit.local.builders import Printed


def test_attempts_report_each_failure_once_and_its_end() -> None:
    printed, errors = (
        Printed(),
        [OSError(28, "No space left on device", "a"), OSError(28, "No space left on device", "a")],
    )
    attempts = Attempts(printed)

    def action() -> bool:
        if errors:
            raise errors.pop()
        return True

    assert [attempts.run("state", action) for _ in range(4)] == [False, False, True, True]
    assert printed.words() == ["warning state: a: No space left on device; retrying", "recovered state"]
    assert not attempts.failing


def test_attempts_keep_a_failed_action_due() -> None:
    printed, runs = Printed(), [0]
    attempts = Attempts(printed, {"jobs"})

    def action() -> None:
        runs[0] += 1
        if runs[0] == 1:
            raise KeyError("x")

    for _ in range(3):
        attempts.run_due("jobs", action)
    assert runs == [2]
    assert attempts.due == set()
    assert printed.words() == ["warning jobs: KeyError: 'x'; retrying", "recovered jobs"]
