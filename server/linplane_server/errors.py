"""The tree of refusals. It knows nothing of HTTP: `problems.STATUSES` maps each type to a status.

    Refusal
    |-- PredictionRefusal
    |   |-- RouteNotFound        no such route is loaded
    |   |-- MethodNotAllowed     a method other than POST
    |   |-- UnsupportedBody      the body is not declared as JSON
    |   |-- TooLarge             the body exceeds the limit
    |   |-- Malformed            the body is not JSON, has a duplicate key, or has not the form of its protocol
    |   |-- Invalid              the body is JSON, but not a prediction request
    |   |   `-- MissingFeature   the version that answers needs a feature that is missing
    |   |-- RateLimited          the route's limit is exceeded
    |   |-- NothingToServe       the version assigned to this request has no weights on this server
    |   |-- Overloaded           the server holds as much of other bodies as it may
    |   `-- Internal             a bug of the server
    `-- AdminRefusal
        |-- Unauthenticated      the caller is unknown
        |-- Forbidden            the object may not be changed from here
        |-- NotFound             the object does not exist
        |-- Conflict             the object's state does not allow the change
        |-- PreconditionFailed   the object is not at the version that `If-Match` names
        |-- Refused              the change was validated and refused
        |-- Throttled            too many calls, or too many failures
        `-- BackendUnavailable   the API server does not answer

The message of a refused prediction may name a feature that the client sent and the route does not have, escaped and
truncated by `display_name`. It never contains a value, a key, or anything else that the client sent. A detail with
names of routes, versions or features has a second form, for servers whose names are not public: `without_names`.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

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
    "overloaded",
    "internal",
    "incomplete",
]
"""What refusals are counted under; `incomplete` is a request whose body did not come to its end, and has no answer."""


class Refusal(Exception):  # noqa: N818 - a refusal is an outcome, not an error of the server
    """Base class. `kind` determines the problem's type, `detail` is text for people. Members that are None are left out
    of the response: `version` is the one that would have answered, `pointer` (RFC 6901) a place in the body, `reason`
    one word for programs. `retry_after` is in whole seconds, 0 if a retry does not help.
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
    """A refused prediction. `kind` is also the label that it is counted under."""

    kind: ClassVar[Kind]

    def __init__(self, detail: str, version: str | None = None, nameless: str | None = None) -> None:
        """`version` is None if none was chosen yet. `nameless` is the detail without names, if there are any in it."""
        super().__init__(detail)
        self.version = version
        self.nameless = detail if nameless is None else nameless

    def without_names(self) -> Self:
        """Returns the same refusal without the names of routes, versions and features; a pointer may have those of the
        body, since it is a place that the client knows.
        """
        shown = type(self).__new__(type(self), self.nameless)
        shown.__dict__ |= self.__dict__ | {"detail": self.nameless, "version": None}
        return shown


def shown(refusal: PredictionRefusal, *, names: bool) -> PredictionRefusal:
    """Returns what the public port shows of a refusal; `names`: those of routes, versions and features are public."""
    return refusal if names else refusal.without_names()


class RouteNotFound(PredictionRefusal):
    """The request names no route that is loaded."""

    kind = "not_found"


class VersionNotFound(PredictionRefusal):
    """The path names a version that is neither the current one of the route nor a candidate."""

    kind = "not_found"


class MethodNotAllowed(PredictionRefusal):
    """A prediction was requested by a method other than POST."""

    kind = "method"


class UnsupportedBody(PredictionRefusal):
    """The headers declare a body that is not JSON, or is compressed."""

    kind = "media_type"


class TooLarge(PredictionRefusal):
    """The body has more bytes than the limit allows."""

    kind = "too_large"


class Malformed(PredictionRefusal):
    """The body is not JSON by RFC 8259, has a duplicate key, or has not the form of its protocol."""

    kind = "malformed"


class Invalid(PredictionRefusal):
    """The body is JSON, but not a prediction request. `pointer` (RFC 6901) is the place. It names only features of the
    route; an unknown feature is named in the detail.
    """

    kind: ClassVar[Kind] = "invalid"

    def __init__(self, pointer: str, detail: str, version: str | None = None, nameless: str | None = None) -> None:
        """See the class."""
        super().__init__(detail, version, nameless)
        self.pointer = pointer


class MissingFeature(Invalid):
    """The row lacks a feature that the assigned version needs."""

    kind = "missing_feature"

    def __init__(  # noqa: PLR0913 - what is counted, and both forms of what is shown
        self,
        pointer: str,
        detail: str,
        version: str,
        features: Sequence[str],
        *,
        row: str = "",
        nameless: str | None = None,
    ) -> None:
        """`features` are the missing ones, or the first of them if there are many; `row` is the pointer of the row."""
        super().__init__(pointer, detail, version, nameless)
        self.features = features
        self.row = row

    def without_names(self) -> Self:
        """See `PredictionRefusal`. The place of a feature that is missing is not in the body."""
        shown = super().without_names()
        shown.pointer = self.row
        return shown


class RateLimited(PredictionRefusal):
    """The route's rate limit is exceeded. `retry_after` is at least 1."""

    kind = "rate_limited"

    def __init__(self, retry_after: int) -> None:
        """See the class."""
        super().__init__("the rate limit of this route is used up; try again later")
        self.retry_after = retry_after


class NothingToServe(PredictionRefusal):
    """The assigned version has no weights on this server. `reason` is a condition's reason."""

    kind = "unavailable"

    def __init__(self, reason: str, detail: str, version: str | None) -> None:
        """See the class. Most details name versions, and some come from the operator."""
        super().__init__(detail, version, "no version can answer this here now")
        self.reason = reason


class Overloaded(PredictionRefusal):
    """The server holds as many bytes of other bodies as it may."""

    kind = "overloaded"
    retry_after = 1

    def __init__(self) -> None:
        """Has always the same text."""
        super().__init__("the server holds as many bodies as it may; try again later, or send fewer rows per request")


class Internal(PredictionRefusal):
    """A bug of the server; the log contains the cause."""

    kind = "internal"


class AdminRefusal(Refusal):
    """A refused admin call. It always has a `reason`."""

    kind = "admin"
    reason: str

    def __init__(self, reason: str, detail: str, retry_after: int = 0) -> None:
        """See `Refusal`."""
        super().__init__(detail)
        self.reason = reason
        self.retry_after = retry_after


class Unauthenticated(AdminRefusal):
    """The call has no valid token."""


class Forbidden(AdminRefusal):
    """The caller, or this process, may not change the object."""


class NotFound(AdminRefusal):
    """The object does not exist, or admin calls are off."""


class Conflict(AdminRefusal):
    """The state of the object does not allow the change, or changed in the meantime."""


class PreconditionFailed(AdminRefusal):
    """The object is not at a resourceVersion that `If-Match` names."""


class Refused(AdminRefusal):
    """A parameter is invalid, or the resource's validation rules refused the change."""


class Throttled(AdminRefusal):
    """Too many calls failed within a short time."""


class BackendUnavailable(AdminRefusal):
    """The API server does not answer."""
