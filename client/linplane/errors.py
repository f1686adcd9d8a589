"""The errors that a request may end with, by class:

    LinplaneError
    |-- ClosedError                the client was closed before the call
    |-- NoResponseError            the connection failed, or no response came in time
    |-- UnexpectedResponseError    something other than a Linplane server responded
    `-- RefusedError               the server refused, with a problem (RFC 9457)
        |-- MalformedRequestError  400
        |-- RouteNotFoundError     404
        |-- BodyTooLargeError      413, for a single row: a body of several is split
        |-- InvalidInputError      422, a value is wrong
        |   `-- MissingFeatureError
        |-- RateLimitedError       429, also after the retries
        |-- ServerFailedError      500
        `-- UnavailableError       503, nothing to serve

An argument that cannot be sent is a TypeError or ValueError, as everywhere in Python.
"""

import msgspec

from linplane_api.names import PROBLEM_TYPE_PREFIX


class Problem(msgspec.Struct, frozen=True, rename="camel"):
    """The body of a refusal (RFC 9457), with the members that Linplane adds to it."""

    type: str
    status: int
    detail: str
    title: str = ""
    version: str | None = None
    request_id: str | None = None
    pointer: str | None = None
    reason: str | None = None


class LinplaneError(Exception):
    """Base class of all errors that a request ends with."""


class ClosedError(LinplaneError, RuntimeError):
    """The client was closed before the call."""


class NoResponseError(LinplaneError):
    """No response came from the URL in the text; `__cause__` is the error of httpx."""


class UnexpectedResponseError(LinplaneError):
    """A response that no Linplane server gives, as from a proxy or another program. `status` is that of HTTP."""

    def __init__(self, status: int, text: str) -> None:
        """`text` says what was wrong."""
        super().__init__(status, text)
        self.status = status
        self.text = text

    def __str__(self) -> str:
        """Status and text."""
        return f"{self.status}: {self.text}"


class RefusedError(LinplaneError):
    """The server refused the request.

    `status` is that of HTTP; `kind` the last part of the problem's type, such as `missing-feature`; `detail` a text for
    people; `pointer` (RFC 6901) the place in the rows that the caller gave, as `/rows/1204/area`, and `row` the number
    in it, from 0; `reason` one word for programs; `version` the one that would have answered; `request_id` finds the
    request in the server's log; `retry_after` is the time in seconds after which the server would answer. All but the
    first three may be None.
    """

    def __init__(self, problem: Problem, row: int | None = None, retry_after: float | None = None) -> None:
        """`problem` has its pointer in the caller's rows."""
        super().__init__(problem, row, retry_after)
        self.status = problem.status
        self.kind = problem.type.removeprefix(PROBLEM_TYPE_PREFIX)
        self.detail = problem.detail
        self.pointer = problem.pointer
        self.reason = problem.reason
        self.version = problem.version
        self.request_id = problem.request_id
        self.row = row
        self.retry_after = retry_after

    def __str__(self) -> str:
        """Status, detail, reason and place."""
        reason = f" ({self.reason})" if self.reason else ""
        place = f", at {self.pointer}" if self.pointer else ""
        return f"{self.status}: {self.detail}{reason}{place}"


class MalformedRequestError(RefusedError):
    """400: the server could not read the request."""


class RouteNotFoundError(RefusedError):
    """404: no such route is loaded there."""


class BodyTooLargeError(RefusedError):
    """413: a single row is larger than the server accepts."""


class InvalidInputError(RefusedError):
    """422: a value is not a finite number, a feature is unknown, or the result is not finite."""


class MissingFeatureError(InvalidInputError):
    """422: the version that answers needs a feature that the row does not have."""


class RateLimitedError(RefusedError):
    """429: the rate limit of the route is used up."""


class ServerFailedError(RefusedError):
    """500: a bug of the server; its log has the cause under `request_id`."""


class UnavailableError(RefusedError):
    """503: the version that was assigned has no weights there; `reason` says why."""


BY_STATUS: dict[int, type[RefusedError]] = {
    400: MalformedRequestError,
    404: RouteNotFoundError,
    413: BodyTooLargeError,
    422: InvalidInputError,
    429: RateLimitedError,
    500: ServerFailedError,
    503: UnavailableError,
}
BY_KIND: dict[str, type[RefusedError]] = {"missing-feature": MissingFeatureError}


def refused(problem: Problem, row: int | None = None, retry_after: float | None = None) -> RefusedError:
    """Returns the error of the most specific class for a problem, RefusedError if it is of a kind that is not known."""
    kind = problem.type.removeprefix(PROBLEM_TYPE_PREFIX)
    return BY_KIND.get(kind, BY_STATUS.get(problem.status, RefusedError))(problem, row, retry_after)
