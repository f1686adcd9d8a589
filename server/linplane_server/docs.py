"""What FastAPI serves on the public listener: `/docs`, `/openapi.json`, and 404 and 405 as problems for every other
path.
"""

from importlib.metadata import version

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from .openapi import document
from .problems import CONTENT_TYPE, problem

_KINDS = {404: ("not_found", "Not found"), 405: ("method", "Method not allowed")}


def docs_app() -> FastAPI:
    """The application behind `public_app`."""
    app = FastAPI(title="Linplane", redoc_url=None)
    app.openapi = lambda: document(version("linplane"))  # type: ignore[method-assign]
    app.add_exception_handler(HTTPException, problem_response)  # type: ignore[arg-type]
    return app


async def problem_response(request: Request, error: HTTPException) -> Response:  # noqa: ARG001 - FastAPI's signature
    """What FastAPI refuses by itself, as a problem that echoes nothing."""
    kind, title = _KINDS.get(error.status_code, ("request", "Request refused"))
    detail = "nothing is at this path" if error.status_code == 404 else "this path does not take this method"
    return Response(problem(error.status_code, kind, title, detail), error.status_code, error.headers, CONTENT_TYPE)
