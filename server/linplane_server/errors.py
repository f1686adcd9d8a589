"""Every way in which a request is refused: one tree. No HTTP here: `problems.STATUSES` maps each type to a status.

    Refusal
    |-- PredictionRefusal
    |   |-- RouteNotFound        no such route is loaded
    |   |-- MethodNotAllowed     a method other than POST
    |   |-- UnsupportedBody      not declared as JSON
    |   |-- TooLarge             the body is over the limit
    |   |-- Malformed            the body is not JSON, or has a duplicate key
    |   |-- Invalid              JSON, but not what a prediction needs
    |   |   `-- MissingFeature   the version that answers needs a feature that is missing
    |   |-- RateLimited          over the route's limit
    |   |-- NothingToServe       the version whose share this request falls in has no weights here
    |   `-- Internal             a defect of the server
    `-- AdminRefusal
        |-- Unauthenticated      the caller is unknown
        |-- Forbidden            the object may not be changed from here
        |-- NotFound             there is no such object
        |-- Conflict             the object's state does not allow the change
        |-- PreconditionFailed   the object is not the one that `If-Match` names
        |-- Refused              the change was judged and refused
        |-- Throttled            too many calls, or too many failures
        `-- BackendUnavailable   whatever judges, or holds the objects, gives no answer

A prediction's message may name a feature that the client sent and the route does not have, by `display_name`: escaped
and cut. It never holds a value, a key, or anything else that the client sent.
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
    """Base. `kind` makes the type of the problem, `detail` is for people. What is None is not in the answer: `version`
    is the one that would have answered, `pointer` (RFC 6901) a place in the body, `reason` one word for machines.
    `retry_after` is in whole seconds, 0 if trying again does not help.
    """

    kind: ClassVar[str]
    version: str | None = None
    pointer: str | None = None
    reason: str | None = None
    retry_after: int = 0

    def __init__(self, detail: str) -> None:
        """See the class."""
        super().__init__(detail)
        self.detail = detail


class PredictionRefusal(Refusal):
    """Of a prediction. `kind` is also how it is counted."""

    kind: ClassVar[Kind]

    def __init__(self, detail: str, version: str | None = None) -> None:
        """`version`: once it was chosen."""
        super().__init__(detail)
        self.version = version


class RouteNotFound(PredictionRefusal):
    """No such route is loaded."""

    kind = "not_found"


class MethodNotAllowed(PredictionRefusal):
    """Predictions are asked for by POST."""

    kind = "method"


class UnsupportedBody(PredictionRefusal):
    """The body is declared as something else than plain JSON."""

    kind = "media_type"


class TooLarge(PredictionRefusal):
    """The body is over the limit of bytes."""

    kind = "too_large"


class Malformed(PredictionRefusal):
    """The body is not JSON by RFC 8259, or an object has a key twice."""

    kind = "malformed"


class Invalid(PredictionRefusal):
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


class RateLimited(PredictionRefusal):
    """Over the route's limit. `retry_after` is in whole seconds, at least 1."""

    kind = "rate_limited"

    def __init__(self, retry_after: int) -> None:
        """See the class."""
        super().__init__("the rate limit of this route is used up; try again later")
        self.retry_after = retry_after


class NothingToServe(PredictionRefusal):
    """The version whose share this is has no weights here. `reason` is a condition's reason."""

    kind = "unavailable"

    def __init__(self, reason: str, detail: str, version: str | None) -> None:
        """See the class."""
        super().__init__(detail, version)
        self.reason = reason


class Internal(PredictionRefusal):
    """A defect of the server; the log has the cause."""

    kind = "internal"


class AdminRefusal(Refusal):
    """Of an admin call. It always has a `reason`."""

    kind = "admin"
    reason: str

    def __init__(self, reason: str, detail: str, retry_after: int = 0) -> None:
        """See `Refusal`."""
        super().__init__(detail)
        self.reason = reason
        self.retry_after = retry_after


class Unauthenticated(AdminRefusal):
    """The caller is unknown."""


class Forbidden(AdminRefusal):
    """The object may not be changed from here."""


class NotFound(AdminRefusal):
    """There is no such object."""


class Conflict(AdminRefusal):
    """The object is not in a state that allows it."""


class PreconditionFailed(AdminRefusal):
    """The object is not the one that the caller's `If-Match` names."""


class Refused(AdminRefusal):
    """The change was judged and refused, as the resource's own rules say."""


class Throttled(AdminRefusal):
    """Too many calls, or too many that failed, in the last moments."""


class BackendUnavailable(AdminRefusal):
    """Whatever judges, or holds the objects, gives no answer."""
