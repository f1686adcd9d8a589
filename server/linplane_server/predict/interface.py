"""What the predictor needs of a client protocol: it decodes requests and encodes responses, and does nothing else.

Everything that all of them share (route, rate limit, split, numbers, counters) is in `predictor`.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from ..errors import Overloaded, PredictionRefusal, TooLarge
from ..problems import Headers
from ..settings import Limits
from ..state.counters import ClientProtocol
from ..state.snapshot import Route, Version
from .router import Source
from .rows import Row

T = TypeVar("T")

Slices = Generator[None, None, T]
"""Work with this result, which yields after each slice of it, of about a millisecond."""


def finished(work: Slices[T]) -> T:
    """Does work in slices at once, and returns its result."""
    try:
        while True:
            next(work)
    except StopIteration as done:
        result: T = done.value
        return result


Answer = tuple[int, Headers, bytes]
"""Status, headers and body of a response."""


Content = bytes | Iterator[bytes]
"""The body of a response with status 200. A large one comes in parts, each encoded when it is asked for."""


def by_name(fields: Headers) -> dict[bytes, bytes]:
    """Returns the value of each header, lower-case. That of one that is repeated is all of them in order, with commas
    between: so every hop may have written them already (RFC 9110, 5.3), and the metadata of gRPC means the same.
    """
    headers = dict(fields)
    if len(headers) < len(fields):
        values: dict[bytes, list[bytes]] = {}
        for name, value in fields:
            values.setdefault(name, []).append(value)
        headers = {name: b", ".join(several) for name, several in values.items()}
    return headers


class Call(msgspec.Struct, frozen=True, gc=False):
    """One HTTP request. `fields` are its headers in their order, lower-case, and `headers` the same `by_name`, both not
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


Pieces = Slices[tuple[Asked, Iterator[Sequence[Row]]]]
"""A request that is opened: without rows, and blocks of its rows in order, each of which is decoded when it is asked
for, and valid until the next one is. A block may be empty.
"""


class NotStreamed(Exception):  # noqa: N818 - not an error
    """The body must be decoded as a whole: its form does not allow rows to be computed before its end."""


class DecodesWhole:
    """What interfaces have in common that stream nothing."""

    def may_stream(self, headers: Mapping[bytes, bytes]) -> bool:  # noqa: ARG002
        """Returns False."""
        return False

    def open_stream(self, route: Route, call: Call, begun: bytes) -> tuple["Stream", int] | None:  # noqa: ARG002
        """Raises NotStreamed."""
        raise NotStreamed

    def open_pieces(self, route: Route, call: Call) -> Pieces:  # noqa: ARG002
        """Raises NotStreamed."""
        raise NotStreamed


class Stream(Protocol):
    """A body that is decoded as it arrives. `asked` has no rows. `held` is the number of bytes that it keeps."""

    asked: Asked
    held: int

    def feed(self, data: bytes) -> Iterator[Sequence[Row]]:
        """Takes the next bytes after the head, and yields blocks of rows, in order. A block is valid until the next one
        is asked for. Raises PredictionRefusal.
        """

    def finish(self) -> Iterator[Sequence[Row]]:
        """Yields the rows that are left at the end of the body. Raises PredictionRefusal."""


class Interface(Protocol):
    """A client protocol. `protocol` is its label in the metrics. Implementations are stateless."""

    protocol: ClientProtocol

    def may_stream(self, headers: Mapping[bytes, bytes]) -> bool:
        """Returns whether a body with these headers may be streamed. It may be larger than those that are held as a
        whole.
        """

    def decode(self, route: Route, call: Call) -> Asked:
        """Decodes a request. Raises PredictionRefusal."""

    def open_stream(self, route: Route, call: Call, begun: bytes) -> tuple[Stream, int] | None:
        """Returns a Stream, and the length of the head before what it is fed, once `begun` is a beginning of the body
        with the whole head; None before. `call` is without the body. Raises NotStreamed, and what `decode` raises.
        """

    def open_pieces(self, route: Route, call: Call) -> Pieces:
        """Opens a body that is there as a whole, but large. It and the blocks raise NotStreamed if the body must be
        decoded as a whole, and a PredictionRefusal if `decode` raises one too, perhaps another one.
        """

    def decode_in_slices(self, route: Route, call: Call) -> Slices[Asked]:
        """As `decode`, for a large body that cannot be decoded in pieces, or is refused by that."""

    def encode(
        self, route: Route, asked: Asked, version: Version, source: Source, values: Sequence[float]
    ) -> tuple[Headers, Content]:
        """Returns headers, but for the length, and body of the response with status 200; `values` has one prediction
        per row.
        """

    def refuse(self, refusal: PredictionRefusal, request_id: str) -> Answer:
        """Returns the response to a request that was refused."""


class Target(NamedTuple):
    """What the path of a prediction addresses. `route` is None if Host names it, `version` if the split decides."""

    interface: Interface
    route: str | None = None
    version: str | None = None
