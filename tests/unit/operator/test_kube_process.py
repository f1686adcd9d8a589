"""Records that the operator does not log."""

import logging

import pytest

from linplane_operator.kube.process import _is_news


@pytest.mark.parametrize(
    ("message", "logged"),
    [
        ("Exception in callback stream.<locals>.request_cancel_callback(<Future finished>) at kopf/api.py:237", False),
        ("Exception in callback Events.run() at events.py:80", True),
        ("Task exception was never retrieved", True),
    ],
)
def test_log_filter_drops_only_the_error_of_a_cancelled_stream(message: str, logged: bool) -> None:
    record = logging.LogRecord("asyncio", logging.ERROR, "", 0, message, None, None)
    assert _is_news(record) is logged
