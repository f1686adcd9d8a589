"""What the predictor needs of a client protocol: it decodes requests and encodes responses, and does nothing else.

Everything that all of them share (route, rate limit, split, numbers, counters) is in `predictor`.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from ..errors import Overloaded, PredictionRefusal, TooLarge
from ..problems import Headers
from ..settings import Limits
from ..state.counters import ClientProtocol
from ..state.snapshot import Route, Version
from .router import Source
from .rows import Row

Answer = tuple[int, Headers, bytes]
"""Status, headers and body of a response."""


class Call(msgspec.Struct, frozen=True, gc=False):
    """One HTTP request. `fields` are its headers in their order, lower-case, and `headers` the same by name, both not
    to be changed; `peer` is the connection's address; `data` the body, or the reason that it was not read. A body that
    is compressed may have `max_body` bytes after decompression.
    """

    method: str
    fields: Headers
    headers: dict[bytes, bytes]
    peer: str
    data: bytes | TooLarge | Overloaded
    max_body: int = Limits.body_bytes

    def body(self) -> bytes:
        """Returns the body. Raises TooLarge or Overloaded."""
        if isinstance(self.data, bytes):
            return self.data
        raise self.data


class Asked(msgspec.Struct, frozen=True):
    """A decoded request. `place` returns the JSON pointer of a row, for errors; `key` identifies the user, for the
    split; `context` is what the same interface needs to encode the response; `names` are the features that the rows
    have, if there may be no row.
    """

    rows: Sequence[Row]
    place: Callable[[int], str]
    key: str | None = None
    context: Any = None
    names: Sequence[str] = ()


class Interface(Protocol):
    """A client protocol. `protocol` is its label in the metrics. Implementations are stateless."""

    protocol: ClientProtocol

    def decode(self, route: Route, call: Call) -> Asked:
        """Decodes a request. Raises PredictionRefusal."""

    def encode(
        self, route: Route, asked: Asked, version: Version, source: Source, values: Sequence[float]
    ) -> tuple[Headers, bytes]:
        """Returns headers and body of the response with status 200; `values` has one prediction per row."""

    def refuse(self, refusal: PredictionRefusal, request_id: str) -> Answer:
        """Returns the response to a request that was refused."""


class Target(NamedTuple):
    """What the path of a prediction addresses. `route` is None if Host names it, `version` if the split decides."""

    interface: Interface
    route: str | None = None
    version: str | None = None
