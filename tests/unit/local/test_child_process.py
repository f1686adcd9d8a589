"""Child processes."""

from linplane_operator.local.child_process import format_exit


def test_exit_codes_as_text() -> None:
    assert format_exit(3) == "exit code 3"
    assert format_exit(-9) == "signal 9 (Killed)"
    assert format_exit(None) == "no exit code"
