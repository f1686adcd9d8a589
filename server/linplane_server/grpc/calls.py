"""One call: its message is read, a bounded number at a time, and a refusal ends it.

Methods are declared as streams of messages, also those whose calls have one: the wire is the same, and the message is
read only when the method reads it. Until then HTTP/2 holds back all but its first bytes, so memory is bounded by the
number of messages that are read at a time and the largest one.

A message that is read is in memory before anything is known of it, so a call has its turn before its message is there.
Calls that send nothing keep their turns only while no other call waits.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import unquote

import grpc
from google.protobuf.message import DecodeError, Message

from ..errors import Overloaded
from ..interfaces.grpc.statuses import INVALID_ARGUMENT, RESOURCE_EXHAUSTED, Refusal, refusal_of
from ..interfaces.v2.answers import refusal_answer

Context = grpc.aio.ServicerContext[bytes, bytes]

M = TypeVar("M", bound=Message)
T = TypeVar("T")

DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
DELIVERY_SECONDS = 0.05
"""Between the decision to end a read and its end, so that what arrived while the event loop was busy is delivered."""
BUSY = refusal_of(refusal_answer(Overloaded()))


class CallError(Exception):
    """The call ends with this status."""

    def __init__(self, refusal: Refusal) -> None:
        """See the class."""
        super().__init__(refusal.message)
        self.refusal = refusal


class Peers:
    """The calls in flight of each address, at most `limit` of one; 0 for no limit."""

    def __init__(self, limit: int) -> None:
        """There are none."""
        self._limit = limit
        self._calls: Counter[str] = Counter()

    @contextlib.contextmanager
    def call(self, context: Context) -> Iterator[None]:
        """Counts a call as long as the block runs. Raises CallError if its address has too many."""
        address = address_of(context.peer())
        if 0 < self._limit <= self._calls[address]:
            raise CallError(Refusal(RESOURCE_EXHAUSTED, f"this address has {self._limit} calls in flight already"))
        self._calls[address] += 1
        try:
            yield
        finally:
            self._calls[address] -= 1
            if not self._calls[address]:
                del self._calls[address]


def address_of(peer: str) -> str:
    """Returns the address in a peer as gRPC writes it, `ipv4:192.0.2.1:50000` or `ipv6:%5B::1%5D:50000`; another peer,
    such as a Unix socket, as it is.
    """
    family, _, rest = unquote(peer).partition(":")
    if family not in {"ipv4", "ipv6"}:
        return peer
    return rest.rpartition(":")[0].strip("[]")


def ending(method: Callable[[Context], Awaitable[T]], peers: Peers) -> Callable[[Any, Context], Awaitable[T]]:
    """Returns the handler for gRPC of a method that may raise CallError, as too many calls of an address do."""

    async def handle(messages: Any, context: Context) -> T:  # noqa: ARG001 - the context reads them
        try:
            with peers.call(context):
                return await method(context)
        except CallError as error:
            code, message, metadata = error.refusal
        # here, and not while the error is handled: the context keeps what `abort` raises, and with it the error, whose
        # frames hold the message, until the collector runs
        return await context.abort(grpc.StatusCode[code], message, metadata)

    return handle


class Reader:
    """Reads messages: at most `messages` are in flight at a time, and `waiting` calls wait for their turn. A message
    must arrive within `seconds`, or within `patience`, also in seconds, if another call waits.
    """

    def __init__(self, messages: int, waiting: int, seconds: float, patience: float) -> None:
        """Nothing is in flight."""
        self._turns = asyncio.Semaphore(messages)
        self._waiting = 0
        self._most_waiting = waiting
        self._seconds = seconds
        self._patience = patience
        self._late = f"the message did not arrive within {seconds:g} s, or {patience:g} s if other calls wait"
        self._reads: set[asyncio.Timeout] = set()
        self._overdue: dict[asyncio.Timeout, None] = {}  # reads that have had their patience, the oldest first

    @contextlib.asynccontextmanager
    async def read(self, context: Context, message: M) -> AsyncIterator[M]:
        """Reads the message of a call into `message`, which is in flight until the end of the block. Raises CallError
        if too many calls wait, or if the message does not arrive or is damaged.
        """
        await self._take_turn()
        try:
            _parse(await self._receive(context), message)
            yield message
        finally:
            self._turns.release()

    async def _take_turn(self) -> None:
        if self._turns.locked():
            if self._waiting == self._most_waiting:
                raise CallError(BUSY)
            if self._overdue:
                self._end(next(iter(self._overdue)))
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1

    async def _receive(self, context: Context) -> bytes:
        try:
            async with asyncio.timeout(self._seconds) as limit:
                self._reads.add(limit)
                timer = asyncio.get_running_loop().call_later(self._patience, self._has_had_patience, limit)
                try:
                    data = await context.read()
                finally:
                    timer.cancel()
                    self._reads.remove(limit)
                    self._overdue.pop(limit, None)
        except TimeoutError:
            raise CallError(Refusal(DEADLINE_EXCEEDED, self._late)) from None
        if not isinstance(data, bytes):  # no message follows, or gRPC has ended the call for one that is too large
            raise CallError(Refusal(INVALID_ARGUMENT, "the call has no message"))
        return data

    def _has_had_patience(self, limit: asyncio.Timeout) -> None:
        if self._waiting:
            self._end(limit)
        else:
            self._overdue[limit] = None

    def _end(self, read: asyncio.Timeout) -> None:
        self._overdue.pop(read, None)
        asyncio.get_running_loop().call_later(DELIVERY_SECONDS, self._end_now, read)

    def _end_now(self, read: asyncio.Timeout) -> None:
        if read in self._reads and not read.expired():
            read.reschedule(asyncio.get_running_loop().time())


def _parse(data: bytes, message: Message) -> None:
    try:
        message.ParseFromString(data)
    except DecodeError:
        text = f"the message is not one of the type {message.DESCRIPTOR.full_name}"
        raise CallError(Refusal(INVALID_ARGUMENT, text)) from None
