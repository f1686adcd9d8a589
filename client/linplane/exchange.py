"""The exchange with a server as a generator that does no I/O: it yields what is to be done next, and is sent the
outcome. So the blocking and the asynchronous client share all of it, as with `auth_flow` of httpx.
"""

from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Annotated

import httpx
import msgspec

from .answers import Batch
from .bodies import Parts, join
from .errors import NoResponseError
from .reading import read_batch
from .retrying import Retrying

MAX_BODY_BYTES = 1024 * 1024
"""The limit of a request's body if the server doesn't say one: its default."""

ASKED_FROM = 64 * 1024
"""Bodies up to this size are sent without asking for the limit."""


@dataclass(frozen=True)
class Send:
    """Send this body; the outcome is the response, or the error of the transport."""

    body: bytes


@dataclass(frozen=True)
class Describe:
    """Get the route's page; the outcome is the response, or the error of the transport."""


@dataclass(frozen=True)
class Wait:
    """Wait; the outcome is None."""

    seconds: float


Outcome = httpx.Response | httpx.TransportError | None
Sending = Generator[Send | Wait, Outcome, httpx.Response]
Exchange = Generator[Send | Describe | Wait | Batch, Outcome, None]


@dataclass
class BodyLimit:
    """The limit of a request's body in bytes; `known` is None until it is. `described`: the route's page says it."""

    known: int | None
    described: bool


def exchange(  # noqa: PLR0913, PLR0917 - what one call of a client has
    parts: Iterator[bytes], key: str | None, body: BodyLimit, retrying: Retrying, server: str, one: bool
) -> Exchange:
    """Yields the requests for encoded rows, pauses between them, and a Batch for each response (its outcome is None).

    A body is at most as long as its limit, unless it has one row only; the limit is asked for once, when rows do not
    fit into ASKED_FROM bytes. After a 413 the same rows are sent in bodies of half the size. `server` is the URL for
    messages; with `one` an error has the place in a single row. Raises LinplaneError, and what `parts` raises.
    """
    waiting, limit, start = Parts(parts), ASKED_FROM if body.known is None else body.known, 0
    overhead = len(join((), key))
    while taken := waiting.take(limit - overhead):
        if body.known is None and waiting.has_more:
            body.known = described_limit((yield Describe()) if body.described else None)
            waiting.put_back(taken)
            limit = body.known
            continue
        sent = join(taken, key)
        response = yield from _send(sent, retrying, server)
        if response.status_code == 413 and len(taken) > 1:
            waiting.put_back(taken)
            limit = len(sent) // 2
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


def described_limit(outcome: Outcome) -> int:
    """Returns `maxBodyBytes` of a route's page; MAX_BODY_BYTES if there is no such page."""
    if isinstance(outcome, httpx.Response) and outcome.status_code == 200:
        with suppress(msgspec.MsgspecError):
            return msgspec.json.decode(outcome.content, type=_Page).maxBodyBytes
    return MAX_BODY_BYTES


class _Page(msgspec.Struct):
    maxBodyBytes: Annotated[int, msgspec.Meta(ge=1)]  # noqa: N815 - the name in JSON


def next_step(steps: Exchange, outcome: Outcome) -> Send | Describe | Wait | Batch | None:
    """Returns what is to be done after `outcome`, None at the end. Raises what `exchange` raises."""
    try:
        return steps.send(outcome)
    except StopIteration:
        return None
