"""What FastAPI serves on the public listener: `/docs`, `/openapi.json`, and 404 and 405 as problems for every other path."""

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from .openapi import DOCUMENT
from .problems import CONTENT_TYPE, problem
from .predictor import HOW_TO_ADDRESS

_KINDS = {404: ("not_found", "Not found"), 405: ("method", "Method not allowed")}


def docs_app() -> FastAPI:
    """The application behind `public_app`."""
    app = FastAPI(title="Linplane", redoc_url=None)
    app.openapi = lambda: DOCUMENT  # type: ignore[method-assign]
    app.add_exception_handler(HTTPException, _problem)  # type: ignore[arg-type]
    return app


async def _problem(request: Request, error: HTTPException) -> Response:
    kind, title = _KINDS.get(error.status_code, ("request", "Request refused"))
    detail = (
        f"nothing is at this path; {HOW_TO_ADDRESS}"
        if error.status_code == 404
        else "this path does not take this method"
    )
    return Response(problem(error.status_code, kind, title, detail), error.status_code, error.headers, CONTENT_TYPE)
