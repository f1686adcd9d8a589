"""Drives a request that is answered in steps: reads its body part by part, and lets others have their turn between two
slices of work of about two milliseconds each.

Slices and no thread: uvloop acquires the interpreter's lock for each of its callbacks, so while a thread computed,
every single request would wait for a whole switch interval (5 ms).
"""

from contextlib import AsyncExitStack

from starlette.types import Message, Receive

from ..errors import Overloaded, TooLarge
from ..predict.interface import Answer
from ..predict.parts import ALONE, Steps, too_large
from ..state.budget import Share
from ..turns import Turns


class Gone(Exception):  # noqa: N818 - an outcome
    """The client disconnected."""


async def drive(steps: Steps, receive: Receive, limit: int, share: Share, turns: Turns) -> Answer:
    """Returns the answer. A body of more than `limit` bytes is refused, and one of which more would be held than the
    budget of `share` allows: for now (Overloaded), or ever (TooLarge). Raises Gone.
    """
    size, more = 0, True
    ends = AsyncExitStack()
    try:
        held = next(steps)
        while True:
            if held is None:
                await turns.give_way()
                held = steps.send(None)
            elif held == ALONE:
                await ends.enter_async_context(turns.alone)
                held = steps.send(None)
            elif not more:
                share.keep(held)
                held = steps.send(None)
            elif not share.hold(held):
                held = steps.throw(Overloaded() if share.may_ever_hold(held) else _too_many(held))
            else:
                message = await receive()
                if message["type"] != "http.request":
                    raise Gone
                more = message["more_body"]
                size += len(message["body"])
                held = steps.send(message["body"]) if size <= limit else steps.throw(too_large(limit))
    except StopIteration as done:
        answer: Answer = done.value
        return answer
    finally:
        steps.close()
        await ends.aclose()


def _too_many(held: int) -> TooLarge:
    return TooLarge(f"body and predictions together take over {held} bytes here; send fewer rows per request")


def received(data: bytes) -> Receive:
    """Returns the `receive` of a request whose body has been read."""

    async def receive() -> Message:
        return {"type": "http.request", "body": data, "more_body": False}

    return receive
