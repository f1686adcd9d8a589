"""Logs a repeated failure once, and the recovery once: a pod that is disconnected for hours must not fill its log."""

import logging

from linplane_api.api_access import ApiError


class LogOnce:
    """The log of one operation that may fail."""

    def __init__(self, log: logging.Logger, failing: str, working: str) -> None:
        """`failing` and `working` are the messages of a failure and of the recovery."""
        self._log = log
        self._failing = failing
        self._working = working
        self._failure: tuple[int, str] | None = None

    def failed(self, error: ApiError) -> None:
        """Logs a failure, unless the last one had the same status and reason."""
        kind = (error.status, error.reason)
        if kind != self._failure:
            self._log.warning(self._failing, extra={"status": error.status, "reason": error.message})
        self._failure = kind

    def recovered(self) -> None:
        """Logs the recovery after a failure."""
        if self._failure is not None:
            self._log.info(self._working)
        self._failure = None
