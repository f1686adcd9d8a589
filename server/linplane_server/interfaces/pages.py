"""What a page of the public port is: a call that computes nothing. A client protocol has a table of its own, and
`http.public_pages` finds the page of a path, and refuses what all protocols refuse alike.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from ..errors import PredictionRefusal
from ..predict.interface import Answer
from ..state.description import Description
from ..state.snapshot import Route
from .json_answers import GET, POST


class ServerCall(NamedTuple):
    """A request of a page about the server. `headers` are by name, lower-case; `body` is empty if it is not read."""

    headers: Mapping[bytes, bytes]
    body: bytes


class RouteCall(NamedTuple):
    """A request of a page about a route, and of `version` if the path names one. `described` is what may be said of the
    route, and `show` returns what may be said of a refusal.
    """

    route: Route
    described: Description
    version: str | None
    show: Callable[[PredictionRefusal], PredictionRefusal]


class ServerPage(NamedTuple):
    """A page about the server, by GET; by POST if it takes a body, of the type `takes`. `returns` is the type of its
    answer with status 200, None if that is not JSON. `lists`: it consists of names, so it is not there if those are not
    public.
    """

    path: str
    summary: str
    returns: Any
    answer: Callable[[ServerCall], Answer]
    takes: type[msgspec.Struct] | None = None
    lists: bool = False

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that are allowed."""
        return GET if self.takes is None else POST


class RoutePage(NamedTuple):
    """A page about a route that is loaded, by GET. `{route}` and `{version}` in `path` stand for one segment each.
    `returns` is the type of its answer with status 200. `answer` raises PredictionRefusal.
    """

    path: str
    summary: str
    returns: Any
    answer: Callable[[RouteCall], Answer]
    takes: None = None
    lists: Literal[False] = False
    methods: tuple[str, ...] = GET


Page = ServerPage | RoutePage


class Pages(Protocol):
    """The pages of a client protocol, and its form of errors."""

    table: Sequence[Page]

    @property
    def refused(self) -> type[msgspec.Struct]:
        """The type of every answer that is refused."""

    def absent(self, path: str) -> Answer | None:
        """Returns the response at a path without a page; None if the path does not belong to the protocol."""

    def not_allowed(self, methods: Sequence[str]) -> Answer:
        """Returns the response to a method other than these."""

    def refuse(self, refusal: PredictionRefusal) -> Answer:
        """Returns the response to a request that is refused."""
