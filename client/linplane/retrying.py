"""Decides whether and when a request is sent again: pure, with the clock and the jitter as parameters.

A prediction changes nothing on the server, so it may be repeated whenever no response came.
"""

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx

PROBLEM_TYPE = "application/problem+json"

FIRST_SECONDS = 0.1
"""The pause before the first retry; it doubles with each."""

_RETRIED = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError, httpx.ProxyError)


@dataclass(frozen=True)
class Retrying:
    """`retries` is the number of repetitions of one request; `max_wait` in seconds bounds each pause: if a server
    wants a longer one, its refusal is final. `clock` returns seconds since the epoch. `jitter` returns a number from 0
    to 1, by which a pause is multiplied (full jitter, with `random.random`), or is None.
    """

    retries: int
    max_wait: float
    clock: Callable[[], float]
    jitter: Callable[[], float] | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for a negative number of retries."""
        if self.retries < 0:
            raise ValueError("retries: 0 or more are needed")

    def pause(self, attempt: int, outcome: httpx.Response | httpx.TransportError) -> float | None:
        """Returns the seconds until the next attempt, None if the outcome is final. `attempt` counts from 0."""
        if attempt >= self.retries:
            return None
        if isinstance(outcome, httpx.TransportError):
            return self._backoff(attempt) if isinstance(outcome, _RETRIED) else None
        if outcome.status_code not in (429, 503):
            return None
        after = retry_after(outcome, self.clock())
        if after is None:  # a server leaves it out if a retry does not help; a proxy may not know
            return None if is_problem(outcome) else self._backoff(attempt)
        if after > self.max_wait:
            return None
        return after if self.jitter is None else min(after + self._backoff(attempt), self.max_wait)

    def _backoff(self, attempt: int) -> float:
        seconds: float = min(FIRST_SECONDS * 2**attempt, self.max_wait)
        return seconds if self.jitter is None else seconds * self.jitter()


def is_problem(response: httpx.Response) -> bool:
    """True for a problem by RFC 9457."""
    return str(response.headers.get("content-type", "")).partition(";")[0].strip().lower() == PROBLEM_TYPE


def retry_after(response: httpx.Response, now: float) -> float | None:
    """Returns the seconds of Retry-After, a number or a date (RFC 9110, 10.2.3); None if there is no valid one."""
    text = str(response.headers.get("retry-after", "")).strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None
