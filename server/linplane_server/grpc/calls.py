"""One call: its message is read, a bounded number at a time, and a refusal ends it.

Methods are declared as streams of messages, also those whose calls have one: the wire is the same, and the message is
read only when the method reads it. Until then HTTP/2 holds it back, so memory is bounded by the number of messages that
are read at a time and the largest one.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from ..errors import Overloaded
from ..interfaces.grpc.statuses import INVALID_ARGUMENT, Refusal, refusal_of
from ..interfaces.v2.answers import refusal_answer

Context = grpc.aio.ServicerContext[bytes, bytes]

M = TypeVar("M", bound=Message)
T = TypeVar("T")

DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
BUSY = refusal_of(refusal_answer(Overloaded()))


class CallError(Exception):
    """The call ends with this status."""

    def __init__(self, refusal: Refusal) -> None:
        """See the class."""
        super().__init__(refusal.message)
        self.refusal = refusal


def ending(method: Callable[[Context], Awaitable[T]]) -> Callable[[Any, Context], Awaitable[T]]:
    """Returns the handler for gRPC of a method that may raise CallError."""

    async def handle(messages: Any, context: Context) -> T:  # noqa: ARG001 - the context reads them
        try:
            return await method(context)
        except CallError as error:
            code, message, metadata = error.refusal
            await context.abort(grpc.StatusCode[code], message, metadata)

    return handle


class Reader:
    """Reads messages: at most `messages` are in flight at a time, and `waiting` calls wait for their turn. A message
    must arrive within `seconds`.
    """

    def __init__(self, messages: int, waiting: int, seconds: float) -> None:
        """Nothing is in flight."""
        self._turns = asyncio.Semaphore(messages)
        self._places = waiting
        self._seconds = seconds

    @contextlib.asynccontextmanager
    async def read(self, context: Context, message: M) -> AsyncIterator[M]:
        """Reads the message of a call into `message`, which is in flight until the end of the block. Raises CallError
        if too many calls wait, or if the message does not arrive or is damaged.
        """
        if self._turns.locked() and not self._places:
            raise CallError(BUSY)
        self._places -= 1
        try:
            await self._turns.acquire()
        finally:
            self._places += 1
        try:
            _parse(await self._receive(context), message)
            yield message
        finally:
            self._turns.release()

    async def _receive(self, context: Context) -> bytes:
        try:
            async with asyncio.timeout(self._seconds):
                data = await context.read()
        except TimeoutError:
            text = f"the message did not arrive within {self._seconds:g} s"
            raise CallError(Refusal(DEADLINE_EXCEEDED, text)) from None
        if not isinstance(data, bytes):  # no message follows, or gRPC has ended the call for one that is too large
            raise CallError(Refusal(INVALID_ARGUMENT, "the call has no message"))
        return data


def _parse(data: bytes, message: Message) -> None:
    try:
        message.ParseFromString(data)
    except DecodeError:
        text = f"the message is not one of the type {message.DESCRIPTOR.full_name}"
        raise CallError(Refusal(INVALID_ARGUMENT, text)) from None
