"""Every way in which a prediction is refused. No HTTP here: `problems` maps each to a status.

    Refusal
    |-- RouteNotFound       no such route is loaded
    |-- MethodNotAllowed    something else than POST
    |-- UnsupportedBody     not declared as JSON
    |-- TooLarge            the body is over the limit
    |-- Malformed           the body is not JSON, or has a key twice
    |-- Invalid             JSON, but not what a prediction needs
    |   `-- MissingFeature  the version that answers needs a feature that is not there
    |-- RateLimited         over the route's limit
    |-- Unavailable         the version whose share this request falls in has no weights here
    `-- Internal            a defect of the server

A message may name a feature that the client sent and the route does not have, by `display_name`: escaped and cut. It
never holds a value, a key, or anything else that the client sent.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

Kind = Literal[
    "not_found",
    "method",
    "media_type",
    "too_large",
    "malformed",
    "invalid",
    "missing_feature",
    "rate_limited",
    "unavailable",
    "internal",
]


class Refusal(Exception):  # noqa: N818 - a refusal is an outcome, not a fault of the server
    """Base. `detail` is for people; `version` is the one that would have answered, once it was chosen."""

    kind: ClassVar[Kind]

    def __init__(self, detail: str, version: str | None = None) -> None:
        """See the class."""
        super().__init__(detail)
        self.detail = detail
        self.version = version


class RouteNotFound(Refusal):
    """No such route is loaded."""

    kind = "not_found"


class MethodNotAllowed(Refusal):
    """Predictions are asked for by POST."""

    kind = "method"


class UnsupportedBody(Refusal):
    """The body is declared as something else than plain JSON."""

    kind = "media_type"


class TooLarge(Refusal):
    """The body is over the limit of bytes."""

    kind = "too_large"


class Malformed(Refusal):
    """The body is not JSON by RFC 8259, or an object has a key twice."""

    kind = "malformed"


class Invalid(Refusal):
    """JSON, but not what a prediction needs. `pointer` (RFC 6901) is the place; it names features of the route only:
    one that the route does not have is in the detail.
    """

    kind: ClassVar[Kind] = "invalid"

    def __init__(self, pointer: str, detail: str, version: str | None = None) -> None:
        """See the class."""
        super().__init__(detail, version)
        self.pointer = pointer


class MissingFeature(Invalid):
    """The version that answers needs a feature that is not there."""

    kind = "missing_feature"

    def __init__(self, pointer: str, detail: str, version: str, features: Sequence[str]) -> None:
        """`features` are those that are missing; all of them, or the first few."""
        super().__init__(pointer, detail, version)
        self.features = features


class RateLimited(Refusal):
    """Over the route's limit. `retry_after` is in whole seconds, at least 1."""

    kind = "rate_limited"

    def __init__(self, retry_after: int) -> None:
        """See the class."""
        super().__init__("the rate limit of this route is used up; try again later")
        self.retry_after = retry_after


class Unavailable(Refusal):
    """The version whose share this is has no weights here. `reason` is a condition's reason."""

    kind = "unavailable"

    def __init__(self, reason: str, detail: str, version: str | None) -> None:
        """See the class."""
        super().__init__(detail, version)
        self.reason = reason


class Internal(Refusal):
    """A defect of the server; the log has the cause."""

    kind = "internal"
