"""The settings of a server process, in typed groups; `options` makes a flag of each field."""

from dataclasses import dataclass, field
from typing import Any

KIB = 1024
MIB = 1024 * KIB

STREAMED = 64
"""How many times as large a body may be that is computed while it arrives, so that it is never held as a whole."""

HELD = 4
"""How many times as large a message of gRPC may be, which is denser than JSON, but held as a whole."""


def _setting(default: float, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class Limits:
    """Bounds on the size and the duration of one connection's requests. Times are in seconds."""

    body_bytes: int = _setting(
        MIB,
        f"a body, after decompression, or {STREAMED} times as much if it is computed while it arrives; larger is 413",
    )
    in_flight_bytes: int = _setting(
        16 * MIB, "what is held of bodies that are not answered yet and of answers that are not read; above it is 503"
    )
    head_bytes: int = _setting(64 * KIB, "request line and fields together, trailers too; larger is 431")
    head_fields: int = _setting(100, "header fields; more is 431")
    url_bytes: int = _setting(8 * KIB, "the request target; longer is 414")
    first_byte_seconds: float = _setting(15.0, "from connecting to the first byte of a request")
    head_seconds: float = _setting(10.0, "from the first byte of a request to the end of its head")
    body_seconds: float = _setting(10.0, "from the end of the head to the end of the body")
    answer_seconds: float = _setting(30.0, "from the end of a request until the client has read the response")
    idle_seconds: float = _setting(
        75.0, "between two requests of a connection; longer than most clients keep one, so that they close first"
    )
    linger_seconds: float = _setting(
        2.0, "how long input from a refused client is read and discarded, so that it can read the response"
    )
    connections_per_peer: int = _setting(
        0,
        "simultaneous connections from one address, and calls of gRPC, 0 for no limit; do not use behind a proxy",
    )

    @property
    def streamed_bytes(self) -> int:
        """The limit on a body that is computed while it arrives."""
        return STREAMED * self.body_bytes

    @property
    def message_bytes(self) -> int:
        """The limit on a message of gRPC, after decompression."""
        return HELD * self.body_bytes


@dataclass(frozen=True)
class Public:
    """What the public port shows of itself. `names`: those of routes, versions and features. `root_path` is the prefix
    that a proxy has before every path, such as `/scoring`; empty for none.
    """

    names: bool = True
    root_path: str = ""


@dataclass(frozen=True)
class Shutdown:
    """The phases of a shutdown after SIGTERM. Times are in seconds."""

    drain_seconds: float = _setting(
        0.0, "how long it keeps accepting while it reports that it is not ready, so that load balancers notice"
    )
    graceful_seconds: float = _setting(20.0, "how long pending requests may take after that")
    hard_seconds: float = _setting(1.0, "after which the process exits, even with requests pending")
