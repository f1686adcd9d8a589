"""The admin listener's ASGI application: probes, metrics, this replica's status, and the admin calls. `/docs`
describes them.
"""

import asyncio
from collections.abc import Callable

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.exceptions import HTTPException

from .admin_endpoint import AdminEndpoint
from .docs import add_page, problem_response
from .health import Health

CALLS = ("switch_model", "freeze", "unfreeze")


def admin_app(
    health: Health, registry: CollectorRegistry, status: Callable[[], bytes], admin: AdminEndpoint
) -> FastAPI:
    """See the module."""
    app = FastAPI(title="Linplane admin", docs_url=None, redoc_url=None)
    add_page(app)
    app.add_exception_handler(HTTPException, problem_response)  # type: ignore[arg-type]

    @app.get("/livez", response_class=PlainTextResponse)
    @app.get("/healthz", response_class=PlainTextResponse)
    async def livez() -> str:
        """The process answers; this never depends on anything."""
        return "ok"

    @app.get("/readyz", response_class=PlainTextResponse, responses={503: {"description": "Not ready; says why"}})
    async def readyz() -> Response:
        """A configuration is loaded, and the process is not on its way out."""
        reason = health.unready()
        return PlainTextResponse(reason or "ok", 503 if reason else 200)

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics(request: Request) -> Response:
        """The Prometheus exposition."""
        encoder, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(
            await asyncio.to_thread(encoder, registry), media_type=None, headers={"content-type": content_type}
        )

    @app.get("/status")
    async def replica_status() -> Response:
        """What this replica serves, and how often it did."""
        return Response(status(), media_type="application/json")

    for name in CALLS:
        app.add_api_route(
            f"/{name}", _call(admin, name), methods=["POST"], openapi_extra=_PARAMETERS, responses=_RESPONSES
        )
    return app


def _call(admin: AdminEndpoint, name: str) -> Callable[[Request], object]:
    async def call(request: Request) -> Response:
        return await admin(name, request)

    call.__doc__ = _SUMMARIES[name]
    call.__name__ = name
    return call


_SUMMARIES = {
    "switch_model": "Make a version the current one of a route.",
    "freeze": "Freeze a version: it never answers again until it is unfrozen.",
    "unfreeze": "Take a freeze back.",
}
_PARAMETERS = {
    "parameters": [
        {"name": "version", "in": "query", "required": True, "schema": {"type": "string"}, "example": "v2"},
        {
            "name": "route", "in": "query", "required": False, "schema": {"type": "string"}, "example": "penguin-mass",
            "description": "May be left out where there is just one route.",
        },
        {
            "name": "If-Match", "in": "header", "required": False, "schema": {"type": "string"}, "example": "*",
            "description": "In quotes, the resourceVersion that the route (for a freeze, the version) must be at.",
        },
    ]
}  # fmt: skip
_RESPONSES: dict[int | str, dict[str, object]] = {
    202: {"description": "Changed; the effect was not seen within 2 s"},
    401: {"description": "No token, or a wrong one"},
    403: {"description": "Not taken from here; in a cluster, the caller may not; locally, the manifest is read-only"},
    404: {"description": "No such route or version, or admin calls are off"},
    409: {"description": "The version is frozen or not Ready, or changed meanwhile"},
    412: {"description": "Not at the resourceVersion that If-Match names; nothing was changed"},
    422: {"description": "A parameter is wrong, or the change was refused"},
    429: {"description": "Too many calls failed"},
    503: {"description": "The API server gives no answer"},
}
