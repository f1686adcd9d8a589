"""Finds and answers the pages of the public listener, all but the documentation: pure functions of what is loaded. What
they show of names is decided here, for all client protocols.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ..errors import PredictionRefusal, TooLarge, shown
from ..interfaces.mlflow import MLflowPages
from ..interfaces.pages import Page, Pages, RouteCall, RoutePage, ServerCall, ServerPage
from ..interfaces.v1 import V1Pages
from ..interfaces.v2.pages import V2Pages
from ..predict.interface import Answer
from ..predict.router import unknown_route
from ..settings import Public
from ..state.description import describe
from ..state.snapshot_store import SnapshotStore
from .native_pages import NativePages


class _Found(NamedTuple):
    """A page; `route` and `version` are the segments of the path that name them."""

    pages: Pages
    page: Page
    route: str = ""
    version: str | None = None


class PublicPages:
    """Answers by path."""

    def __init__(self, store: SnapshotStore, public: Public, protocols: Sequence[Pages]) -> None:
        """`store` is read at each call."""
        self._store = store
        self._names = public.names
        self._protocols = protocols
        self.table = [(pages, page) for pages in protocols for page in pages.table if public.names or not page.lists]
        """The pages that are there, with their protocol."""
        table = [_Found(pages, page) for pages, page in self.table]
        self._fixed = {found.page.path: found for found in table}
        self._patterns = [(_pattern(found.page.path), found) for found in table if isinstance(found.page, RoutePage)]

    def reads(self, path: str) -> bool:
        """Returns whether the page at this path reads the body of a request."""
        found = self._fixed.get(path)
        return found is not None and found.page.takes is not None

    def answer(
        self, method: str, path: str, headers: Mapping[bytes, bytes], body: bytes | TooLarge = b""
    ) -> Answer | None:
        """Returns the response to a request; None if no page is at this path, and no protocol has an answer to that."""
        found = self._find(path)
        if found is None:
            absent = (pages.absent(path) for pages in self._protocols)
            return next((answer for answer in absent if answer is not None), None)
        if method not in found.page.methods:
            return found.pages.not_allowed(found.page.methods)
        try:
            if isinstance(body, TooLarge):
                raise body
            if isinstance(found.page, ServerPage):
                return found.page.answer(ServerCall(headers, body))
            return found.page.answer(self._route_call(found))
        except PredictionRefusal as refusal:
            return found.pages.refuse(self._show(refusal))

    def _find(self, path: str) -> _Found | None:
        fixed = self._fixed.get(path)
        if fixed is not None:
            return fixed
        for fullmatch, found in self._patterns:
            match = fullmatch(path)
            if match is not None:
                return found._replace(route=match["route"], version=match.groupdict().get("version"))
        return None

    def _route_call(self, found: _Found) -> RouteCall:
        route = self._store.snapshot.routes.get(found.route)
        if route is None:
            raise unknown_route(self._store, by_path=True)
        return RouteCall(route, describe(route, names=self._names), found.version, self._show)

    def _show(self, refusal: PredictionRefusal) -> PredictionRefusal:
        return shown(refusal, names=self._names)


def public_pages(
    store: SnapshotStore, unready: Callable[[], str | None], max_body: int, version: str, public: Public
) -> PublicPages:
    """Returns all pages. `unready` returns the reason that this process is not ready, None if it is; `max_body` is the
    limit on a request's body, in bytes; `version` that of the software.
    """
    protocols: list[Pages] = [
        NativePages(store, max_body, version, public),
        V2Pages(store, unready, version),
        V1Pages(store),
        MLflowPages(unready, version),
    ]
    return PublicPages(store, public, protocols)


def _pattern(path: str) -> Callable[[str], re.Match[str] | None]:
    """Returns the match of a path with placeholders; one stands for a segment."""
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path.replace(".", r"\."))).fullmatch
