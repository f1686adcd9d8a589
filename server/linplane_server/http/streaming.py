"""Drives a request that is answered in steps: reads its body part by part, and lets others have their turn between two
slices of work.

Slices and no thread: uvloop acquires the interpreter's lock for each of its callbacks, so while a thread computed,
every single request would wait for a whole switch interval (5 ms).
"""

import asyncio

from starlette.types import Receive

from ..errors import Overloaded
from ..predict.interface import Answer
from ..predict.parts import Steps, too_large
from ..state.budget import Share


class Gone(Exception):  # noqa: N818 - an outcome
    """The client disconnected."""


async def drive(steps: Steps, receive: Receive, limit: int, share: Share) -> Answer:
    """Returns the answer. A body of more than `limit` bytes is refused, and one of which more would be held than the
    budget of `share` allows. Raises Gone.
    """
    size, more = 0, True
    try:
        held = next(steps)
        while True:
            if held is None:
                await asyncio.sleep(0)
                held = steps.send(None)
            elif not more:
                held = steps.send(None)
            elif not share.hold(held):
                held = steps.throw(Overloaded())
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
