"""Predictions of a Linplane server: `Client` and `AsyncClient`, their answers, and their errors.

In the order in which data passes them: `rows` reads rows of any kind, `bodies` encodes them within a limit,
`exchange` decides what is sent next, `retrying` whether it is sent again, `reading` reads the response into `answers`
or `errors`. All of these are pure; `client` is the only module that sends.
"""

try:
    import httpx as _  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError('linplane needs httpx: install "linplane[client]"', name="httpx") from error

from .answers import Batch, Prediction, Predictions
from .client import AsyncClient, Client
from .errors import (
    BodyTooLargeError,
    ClosedError,
    InvalidInputError,
    LinplaneError,
    MalformedRequestError,
    MissingFeatureError,
    NoResponseError,
    RateLimitedError,
    RefusedError,
    RouteNotFoundError,
    ServerFailedError,
    UnavailableError,
    UnexpectedResponseError,
)

__all__ = [
    "AsyncClient",
    "Batch",
    "BodyTooLargeError",
    "Client",
    "ClosedError",
    "InvalidInputError",
    "LinplaneError",
    "MalformedRequestError",
    "MissingFeatureError",
    "NoResponseError",
    "Prediction",
    "Predictions",
    "RateLimitedError",
    "RefusedError",
    "RouteNotFoundError",
    "ServerFailedError",
    "UnavailableError",
    "UnexpectedResponseError",
]
