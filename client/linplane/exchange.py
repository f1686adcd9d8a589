"""The exchange with a server as a generator that does no I/O: it yields what is to be done next, and is sent the
outcome. So the blocking and the asynchronous client share all of it, as with `auth_flow` of httpx.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import count

import httpx

from .answers import Batch
from .bodies import Parts, join
from .errors import NoResponseError
from .reading import read_batch
from .retrying import Retrying


@dataclass(frozen=True)
class Send:
    """Send this body; the outcome is the response, or the error of the transport."""

    body: bytes


@dataclass(frozen=True)
class Wait:
    """Wait; the outcome is None."""

    seconds: float


Outcome = httpx.Response | httpx.TransportError | None
Sending = Generator[Send | Wait, Outcome, httpx.Response]
Exchange = Generator[Send | Wait | Batch, Outcome, None]


def exchange(  # noqa: PLR0913, PLR0917 - what one call of a client has
    parts: Iterator[bytes], key: str | None, max_body_bytes: int, retrying: Retrying, server: str, one: bool
) -> Exchange:
    """Yields the requests for encoded rows, pauses between them, and a Batch for each response (its outcome is None).

    A body is at most `max_body_bytes` long, unless it has one row only. After a 413 the same rows are sent in bodies of
    half the size. `server` is the URL for messages; with `one` an error has the place in a single row. Raises
    LinplaneError, and what `parts` raises.
    """
    waiting, limit, start = Parts(parts), max_body_bytes, 0
    overhead = len(join((), key))
    while taken := waiting.take(limit - overhead):
        body = join(taken, key)
        response = yield from _send(body, retrying, server)
        if response.status_code == 413 and len(taken) > 1:
            waiting.put_back(taken)
            limit = len(body) // 2
            continue
        yield read_batch(response, start, len(taken), retrying.clock(), one=one)
        start += len(taken)


def _send(body: bytes, retrying: Retrying, server: str) -> Sending:
    """Returns the final response. Raises NoResponseError."""
    for attempt in count():
        outcome = yield Send(body)
        assert outcome is not None
        pause = retrying.pause(attempt, outcome)
        if pause is not None:
            yield Wait(pause)
        elif isinstance(outcome, httpx.TransportError):
            raise NoResponseError(f"{server}: {type(outcome).__name__}: {outcome}") from outcome
        else:
            return outcome
    raise AssertionError


def next_step(steps: Exchange, outcome: Outcome) -> Send | Wait | Batch | None:
    """Returns what is to be done after `outcome`, None at the end. Raises what `exchange` raises."""
    try:
        return steps.send(outcome)
    except StopIteration:
        return None
