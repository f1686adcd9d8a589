"""The turns of requests that are computed in slices, of every listener."""

import asyncio


class Turns:
    """One slice of one request is done in each turn of the loop, in the order in which they ask. `alone` is held by the
    one request that takes so much memory that others of its kind wait.
    """

    def __init__(self) -> None:
        """No request is computed."""
        self.slice = asyncio.Lock()
        self.alone = asyncio.Lock()

    async def give_way(self) -> None:
        """Returns in a later turn of the loop, once it is this request's."""
        async with self.slice:
            await asyncio.sleep(0)
