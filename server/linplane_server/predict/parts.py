"""A body that arrives in parts, as the generators see it that compute while it arrives."""

from collections.abc import Callable, Generator

from ..errors import TooLarge
from ..settings import KIB
from .interface import Answer

WHOLE_BYTES = 16 * KIB
"""The largest body that is answered at once, unless it is compressed; others are computed in slices, so that they don't
keep others waiting.
"""

Steps = Generator[int | None, bytes | None, Answer]
"""A request that is answered in steps. It yields the number of bytes that it holds when it needs the next part of the
body, which is sent to it (None at the end); None after a slice of work, so that others have their turn; and ALONE, at
most once and when it has the whole body, to be continued while no other request is that has yielded it.
"""

ALONE = -1

_Reads = Generator[int | None, bytes | None, bytes | None]


class Parts:
    """`kept` has the parts that are kept. `arrived` is the time at which the last one came, by `clock`."""

    def __init__(self, clock: Callable[[], float], limit: int) -> None:
        """Nothing has arrived. `limit` is that of a body that is kept as a whole, in bytes."""
        self.kept = bytearray()
        self._limit = limit
        self._clock = clock
        self.arrived = clock()
        self._ended = False

    def take(self, held: int) -> _Reads:
        """Returns the next part; None at the end. `held` is the number of bytes that are held besides."""
        if self._ended:
            return None
        data = yield held + len(self.kept)
        self.arrived = self._clock()
        self._ended = data is None
        return data

    def take_and_keep(self) -> _Reads:
        """Returns the next part, and keeps it."""
        data = yield from self.take(0)
        self.kept += data or b""
        return data

    def keep(self) -> Generator[int | None, bytes | None, None]:
        """Keeps all parts that come. Raises TooLarge if they are over the limit."""
        while len(self.kept) <= self._limit:
            if (yield from self.take_and_keep()) is None:
                return
        raise too_large(self._limit)

    def drain(self) -> Generator[int | None, bytes | None, None]:
        """Drops what is kept, and all parts that come."""
        self.kept.clear()
        while (yield from self.take(0)) is not None:
            pass

    def release(self) -> bytes:
        """Returns what is kept, and keeps it no longer."""
        data = bytes(self.kept)
        self.kept.clear()
        return data


def too_large(limit: int) -> TooLarge:
    """Returns the refusal of a body over this limit, in bytes."""
    return TooLarge(f"the body is over {limit} bytes; send fewer rows per request")
