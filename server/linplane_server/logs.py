"""Logs: one JSON object a line on standard error, by the standard library's logging. What a client sent is not in
them.
"""

import json
import logging
import sys
from typing import TextIO

from .times import rfc3339

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """time, level, logger, message, whatever `extra` holds, and the trace of an exception."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line = {
            "time": rfc3339(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure(stream: TextIO = sys.stderr, level: int = logging.INFO) -> None:
    """Makes the root logger write such lines, once a process. uvicorn's own tell of each bad request, so only its
    errors are let through.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
