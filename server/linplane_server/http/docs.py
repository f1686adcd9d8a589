"""The FastAPI application of the public listener: `/docs`, `/openapi.json`, and problems (404, 405) for every other
path.
"""

from collections.abc import Callable, Sequence

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from ..errors import MethodNotAllowed, RouteNotFound
from ..problems import CONTENT_TYPE, STATUSES, problem
from .openapi import Schema

ASSETS = "docs/assets"
_KINDS = {404: ("no_path", STATUSES[RouteNotFound][1]), 405: (MethodNotAllowed.kind, STATUSES[MethodNotAllowed][1])}
"""The kind and title of a problem. A missing path is not a missing route: a client may use the other port."""


def docs_app(document: Callable[[], Schema]) -> FastAPI:
    """Returns the application behind `public_app`; `document` makes the OpenAPI document."""
    # a redirect would not know the prefix of a proxy
    app = FastAPI(title="Linplane", docs_url=None, redoc_url=None, redirect_slashes=False)
    app.openapi = document  # type: ignore[method-assign]
    app.add_exception_handler(HTTPException, problem_response)  # type: ignore[arg-type]
    add_page(app, ["post"])
    return app


def add_page(app: FastAPI, methods: Sequence[str]) -> None:
    """Adds Swagger UI at `/docs`, with the files of a package, so that it works offline. Links are relative, so that a
    proxy may add a prefix. The page documents every call, and can send those of `methods`.
    """

    async def page() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="openapi.json",
            title=app.title,
            swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{ASSETS}/favicon-32x32.png",
            swagger_ui_parameters={"tryItOutEnabled": True, "supportedSubmitMethods": list(methods)},
        )

    app.add_api_route("/docs", page, include_in_schema=False)
    app.mount(f"/{ASSETS}", StaticFiles(packages=[("fastapi_swagger", "resources")]))


async def problem_response(request: Request, error: HTTPException) -> Response:  # noqa: ARG001 - FastAPI's signature
    """Converts a refusal by FastAPI itself to a problem that repeats nothing of the request."""
    kind, title = _KINDS.get(error.status_code, ("request", "Request refused"))
    detail = "nothing is at this path" if error.status_code == 404 else "this path does not accept this method"
    return Response(problem(error.status_code, kind, title, detail), error.status_code, error.headers, CONTENT_TYPE)
