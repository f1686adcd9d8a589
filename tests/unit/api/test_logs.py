"""A line of a log: one JSON object with the same keys in every program."""

import json
import logging
import subprocess
import sys

import pytest

from linplane_api.logs import JsonFormatter


def line(left_out: tuple[str, ...] = (), **more: object) -> dict[str, object]:
    record = logging.makeLogRecord({"name": "linplane.x", "levelname": "WARNING", "msg": "a %s", "args": ("b",)} | more)
    record.created = 1767225600.9876
    text = JsonFormatter(left_out).format(record)
    assert "\n" not in text
    return dict(json.loads(text))


def test_line_has_time_level_logger_message_and_what_extra_holds() -> None:
    assert line(route="homes", status=503, settings=object) == {
        "time": "2026-01-01T00:00:00.987Z",
        "level": "WARNING",
        "logger": "linplane.x",
        "message": "a b",
        "route": "homes",
        "status": 503,
        "settings": "<class 'object'>",
    }
    assert "settings" not in line(("settings",), settings=object)


def test_error_has_its_traceback_under_exception() -> None:
    with pytest.raises(KeyError) as caught:
        {}["lost"]
    text = str(line(exc_info=(caught.type, caught.value, caught.tb))["exception"])
    assert text.startswith("Traceback")
    assert text.endswith("KeyError: 'lost'")


@pytest.mark.parametrize(
    ("level", "written"),
    [("debug", ["ours", "ours", "library"]), ("info", ["ours", "library"]), ("error", [])],
)
def test_log_level_of_libraries_is_info_or_above(level: str, written: list[str]) -> None:
    """In a process of its own: it configures logging for good."""
    script = (
        "import logging, sys; from linplane_api import logs;"
        "logs.configure(stream=sys.stdout, level=logs.LEVELS[sys.argv[1]]);"
        "[getattr(logging.getLogger(name), method)(text) for name, text in"
        " (('linplane_api.x', 'ours'), ('kopf', 'library')) for method in ('debug', 'info')]"
    )
    done = subprocess.run([sys.executable, "-c", script, level], capture_output=True, text=True, check=True, timeout=30)
    assert [json.loads(one)["message"] for one in done.stdout.splitlines()] == written
