"""The pages of the public listener that are neither predictions nor documentation: pure functions of what is loaded.

Links are relative, so that a proxy may add a prefix to every path.
"""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Protocol

import msgspec

from ..errors import NothingToServe, RouteNotFound
from ..interfaces.accept import prefers_html
from ..interfaces.json_answers import ALLOW_GET, GET, json_answer
from ..predict.interface import Answer
from ..predict.predictor import NOT_LOADED
from ..problems import problem, problem_headers, refusal_response
from ..state.snapshot import Route
from ..state.snapshot_store import SnapshotStore
from .route_pages import route_document, route_page
from .targets import ROUTES

OPENAPI = "/openapi.json"


class Pages(Protocol):
    """The pages of a client protocol."""

    def answer(self, method: str, path: str) -> Answer | None:
        """Returns the response to a request; None if no page is at this path."""


class Alive(msgspec.Struct, frozen=True):
    """The answer at `/`: the routes that are loaded, and the path of the documentation."""

    status: str
    routes: list[str]
    docs: str


class PublicPages:
    """Answers by path. `max_body` is the limit on a request's body, in bytes; `version` that of the software."""

    def __init__(self, store: SnapshotStore, max_body: int, version: str, others: Sequence[Pages]) -> None:
        """`store` is read at each call; `others` answer the paths that are not here."""
        self._store = store
        self._others = others
        self._route_pages: dict[str, Callable[[Route], object]] = {
            "": lambda route: route_page(route, max_body),
            OPENAPI: lambda route: route_document(route, version),
        }

    def answer(self, method: str, path: str, headers: Mapping[bytes, bytes]) -> Answer | None:
        """Returns the response to a request; None if no page is at this path."""
        if path == "/":
            return self._root(headers) if method in GET else _not_allowed()
        if path.startswith(ROUTES):
            return self._route(method, path[len(ROUTES) :])
        return next((answer for pages in self._others if (answer := pages.answer(method, path))), None)

    def _root(self, headers: Mapping[bytes, bytes]) -> Answer:
        names = sorted(self._store.snapshot.routes)
        vary = (b"vary", b"accept")
        if not prefers_html(headers.get(b"accept", b"")):
            return json_answer(Alive("alive", names, "/docs"), more=[vary])
        content = _html(names).encode()
        kind = (b"content-type", b"text/html; charset=utf-8")
        return 200, [kind, vary, (b"content-length", b"%d" % len(content))], content

    def _route(self, method: str, rest: str) -> Answer | None:
        page = OPENAPI if rest.endswith(OPENAPI) else ""
        name = rest.removesuffix(OPENAPI)
        if not name or "/" in name:
            return None
        if method not in GET:
            return _not_allowed()
        if self._store.loaded_at is None:
            return refusal_response(NothingToServe("NotLoaded", "no configuration is loaded yet", None))
        route = self._store.snapshot.routes.get(name)
        if route is None:
            return refusal_response(RouteNotFound(NOT_LOADED))
        return json_answer(self._route_pages[page](route))


def _not_allowed() -> Answer:
    body = problem(405, "method", "Method not allowed", "this path does not accept this method")
    return 405, problem_headers(body) + ALLOW_GET, body


def _html(names: Sequence[str]) -> str:
    return _PAGE.format(routes="".join(_ROUTE.format(name=escape(name)) for name in names))


_ROUTE = '<li><a href="routes/{name}">{name}</a> (<a href="routes/{name}/openapi.json">OpenAPI</a>)</li>\n'
_PAGE = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Linplane</title></head>
<body>
<h1>Linplane</h1>
<p>Routes of this server:</p>
<ul>
{routes}</ul>
<p><a href="docs">Documentation</a>, <a href="openapi.json">OpenAPI</a></p>
</body>
</html>
"""
