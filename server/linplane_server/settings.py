"""What an operator of this process can set, in small typed groups; `options` makes a flag of each field."""

from dataclasses import dataclass, field
from typing import Any

KIB = 1024


def _setting(default: float, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class Limits:
    """How much one connection may ask for, and how long it may take. Times are in seconds."""

    body_bytes: int = _setting(64 * KIB, "a request's body; larger is 413")
    head_bytes: int = _setting(64 * KIB, "request line and fields together, trailers too; larger is 431")
    head_fields: int = _setting(100, "header fields; more is 431")
    url_bytes: int = _setting(8 * KIB, "the request target; longer is 414")
    first_byte_seconds: float = _setting(15.0, "from connecting to the first byte of a request")
    head_seconds: float = _setting(10.0, "from the first byte of a request to the end of its head")
    body_seconds: float = _setting(10.0, "from the end of the head to the end of the body")
    answer_seconds: float = _setting(30.0, "from the end of a request until the client has taken its answer")
    idle_seconds: float = _setting(
        75.0, "between two requests of a connection; longer than most clients keep one, so that they close first"
    )
    linger_seconds: float = _setting(
        2.0, "how long what a refused client still sends is thrown away, so that it can read why"
    )
    connections_per_peer: int = _setting(
        0, "connections from one address at a time, 0 for no limit; not for use behind a proxy"
    )


@dataclass(frozen=True)
class Shutdown:
    """How the process ends after SIGTERM. Times are in seconds."""

    drain_seconds: float = _setting(
        0.0, "how long it still accepts, not ready any more, so that whoever sends requests learns of it"
    )
    graceful_seconds: float = _setting(20.0, "how long requests under way may take after that")
    hard_seconds: float = _setting(1.0, "after which the process ends, whatever is under way")
