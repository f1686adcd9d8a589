"""Says once that something does not work, and once that it works again: a pod that is cut off for hours does not fill
its log.
"""

import logging

from linplane_api.api_access import ApiError


class LogOnce:
    """One thing that may fail."""

    def __init__(self, log: logging.Logger, failing: str, working: str) -> None:
        """`failing` and `working` are the messages."""
        self._log = log
        self._failing = failing
        self._working = working
        self._known: tuple[int, str] | None = None

    def failed(self, error: ApiError) -> None:
        """It failed. Said where it had worked, or had failed otherwise."""
        kind = (error.status, error.reason)
        if kind != self._known:
            self._log.warning(self._failing, extra={"status": error.status, "reason": error.message})
        self._known = kind

    def recovered(self) -> None:
        """It works."""
        if self._known is not None:
            self._log.info(self._working)
        self._known = None
