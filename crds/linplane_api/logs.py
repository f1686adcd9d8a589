"""Logs: one JSON object a line on standard error, by the standard library's logging."""

import json
import logging
import sys
from collections.abc import Collection
from datetime import UTC, datetime
from typing import TextIO

from .timing import rfc3339

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
"""The values of `--log-level`."""
PACKAGES = ("linplane_api", "linplane_operator", "linplane_cli", "linplane_server", "linplane_trainer")

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """The keys: `time` (RFC 3339, UTC, milliseconds), `level`, `logger`, `message`, those of `extra`, and `exception`
    with the traceback of an error.
    """

    def __init__(self, left_out: Collection[str] = ()) -> None:
        """`left_out`: keys of `extra` that are not written."""
        super().__init__()
        self._left_out = _STANDARD.union(left_out)

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line = {
            "time": rfc3339(datetime.fromtimestamp(record.created, UTC), "milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in self._left_out}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure(left_out: Collection[str] = (), stream: TextIO = sys.stderr, level: int = logging.INFO) -> None:
    """Makes the root logger write such lines, see `JsonFormatter`: of this project from `level` on, of libraries from
    INFO on at the lowest. Call it once in a process.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter(left_out))
    logging.basicConfig(level=max(level, logging.INFO), handlers=[handler], force=True)
    for package in PACKAGES:
        logging.getLogger(package).setLevel(level)
