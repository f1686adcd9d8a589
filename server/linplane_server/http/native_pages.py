"""The pages of the project's own interface: the list of routes, a route, and its OpenAPI document.

Links are relative, so that a proxy may add a prefix to every path. If it is known, those at `/` have it as their base,
since `/scoring` without a slash at its end is the same page.
"""

from collections.abc import Sequence
from html import escape
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from ..errors import MethodNotAllowed, PredictionRefusal
from ..interfaces.accept import prefers_html
from ..interfaces.json_answers import NOT_ALLOWED, allow, json_answer
from ..interfaces.pages import Page, RoutePage, ServerCall, ServerPage
from ..predict.interface import Answer
from ..problems import STATUSES, Problem, problem, problem_headers, refusal_response
from ..settings import Public
from ..state.snapshot_store import SnapshotStore
from .route_pages import RouteDescription, route_description, route_document
from .targets import ROUTES

ROUTE = f"{ROUTES}{{route}}"
OPENAPI = "/openapi.json"
DOCS = "/docs"


class Alive(msgspec.Struct, frozen=True):
    """The answer at `/`: the routes that are loaded, and the path of the documentation. `routes` is left out if names
    are not public.
    """

    status: str
    routes: list[str] | UnsetType
    docs: str


class NativePages:
    """See `Pages`. `max_body` is the limit on a request's body, in bytes; `version` is that of the software."""

    refused = Problem

    def __init__(self, store: SnapshotStore, max_body: int, version: str, public: Public) -> None:
        """`store` is read at each call."""
        self._store = store
        self._public = public
        self.table: Sequence[Page] = [
            ServerPage("/", "The routes; as HTML for browsers.", Alive, self._root),
            RoutePage(
                ROUTE,
                "What a route takes, with an example.",
                RouteDescription,
                lambda call: json_answer(route_description(call.described, max_body)),
            ),
            RoutePage(
                ROUTE + OPENAPI,
                "The OpenAPI document of a route.",
                dict[str, Any],
                lambda call: json_answer(route_document(call.described, version)),
            ),
        ]

    def absent(self, path: str) -> Answer | None:  # noqa: ARG002 - `Pages`
        """See `Pages`: what is left is the application's."""
        return None

    def not_allowed(self, methods: Sequence[str]) -> Answer:
        """See `Pages`."""
        status, title = STATUSES[MethodNotAllowed]
        body = problem(status, MethodNotAllowed.kind, title, NOT_ALLOWED)
        return status, [*problem_headers(body), allow(methods)], body

    def refuse(self, refusal: PredictionRefusal) -> Answer:
        """See `Pages`."""
        return refusal_response(refusal)

    def _root(self, call: ServerCall) -> Answer:
        names = sorted(self._store.snapshot.routes) if self._public.names else None
        root = self._public.root_path
        vary = (b"vary", b"accept")
        if not prefers_html(call.headers.get(b"accept", b"")):
            return json_answer(Alive("alive", UNSET if names is None else names, f"{root}{DOCS}"), more=[vary])
        content = _html(root, names or ()).encode()
        kind = (b"content-type", b"text/html; charset=utf-8")
        return 200, [kind, vary, (b"content-length", b"%d" % len(content))], content


def _html(root: str, names: Sequence[str]) -> str:
    routes = "".join(_ROUTE.format(name=escape(name)) for name in names)
    base = f'<base href="{escape(root)}/">' if root else ""
    return _PAGE.format(base=base, routes=_ROUTES.format(routes=routes) if names else "")


_ROUTES = """\
<p>Routes of this server:</p>
<ul>
{routes}</ul>
"""
_ROUTE = '<li><a href="routes/{name}">{name}</a> (<a href="routes/{name}/openapi.json">OpenAPI</a>)</li>\n'
_PAGE = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8">{base}<title>Linplane</title></head>
<body>
<h1>Linplane</h1>
{routes}<p><a href="docs">Documentation</a>, <a href="openapi.json">OpenAPI</a></p>
</body>
</html>
"""
