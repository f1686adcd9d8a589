"""The admin listener's ASGI application: probes, metrics, this replica's status and the admin calls, documented at
`/docs`.
"""

import asyncio
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.exceptions import HTTPException

from .. import errors
from ..admin.calls import Frozen, Switched, Unfrozen
from ..admin.endpoint import AdminEndpoint
from ..problems import CONTENT_TYPE, STATUSES, Problem
from ..state.readiness import Readiness
from .docs import add_page, problem_response
from .openapi import REF, ref
from .status import ReplicaStatus

Responses = dict[int | str, dict[str, Any]]

_SUMMARIES = {
    "switch_model": "Make a version the current one of a route; a candidate leaves the split.",
    "freeze": "Freeze a version: it serves nothing until it is unfrozen.",
    "unfreeze": "Unfreeze a version.",
}
_BODIES: dict[str, type[msgspec.Struct]] = {"switch_model": Switched, "freeze": Frozen, "unfreeze": Unfrozen}
_HOW = "This page cannot make the call, nor can any other web page: use curl, or the `linplane` command."
_PARAMETERS = {
    "parameters": [
        {"name": "version", "in": "query", "required": True, "schema": {"type": "string"}, "example": "v2"},
        {
            "name": "route", "in": "query", "required": False, "schema": {"type": "string"}, "example": "penguin-mass",
            "description": "May be left out if there is just one route.",
        },
        {
            "name": "If-Match", "in": "header", "required": False, "schema": {"type": "string"}, "example": "*",
            "description": "In quotes, the resourceVersion that the route (for a freeze, the version) must be at.",
        },
    ]
}  # fmt: skip
_REFUSALS: dict[type[errors.AdminRefusal], str] = {
    errors.Unauthenticated: "No token, or an invalid one",
    errors.Forbidden: "Not accepted from this address, the caller lacks the right, or the manifest is read-only",
    errors.NotFound: "No such route or version, or admin calls are off",
    errors.Conflict: "The version is frozen or not Ready, or changed meanwhile",
    errors.PreconditionFailed: "Not at the resourceVersion that If-Match names; nothing was changed",
    errors.Refused: "A parameter is invalid, or the change was refused",
    errors.Throttled: "Too many calls failed",
    errors.BackendUnavailable: "The API server does not answer",
}


def admin_app(
    readiness: Readiness, registry: CollectorRegistry, status: Callable[[], bytes], admin: AdminEndpoint
) -> FastAPI:
    """Returns the application."""
    app = FastAPI(title="Linplane admin", version=version("linplane"), docs_url=None, redoc_url=None)
    add_page(app, ["get"])  # `access` refuses admin calls from web pages, this one included
    app.add_exception_handler(HTTPException, problem_response)  # type: ignore[arg-type]

    @app.get("/livez", response_class=PlainTextResponse)
    @app.get("/healthz", response_class=PlainTextResponse)
    async def livez() -> str:
        """The process responds; this depends on nothing else."""
        return "ok"

    @app.get(
        "/readyz", response_class=PlainTextResponse, responses={503: {"description": "Not ready, with the reason"}}
    )
    async def readyz() -> Response:
        """A configuration is loaded, and the process is not draining."""
        reason = readiness.unready()
        return PlainTextResponse(reason or "ok", 503 if reason else 200)

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics(request: Request) -> Response:
        """Metrics in the Prometheus or OpenMetrics format."""
        encoder, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(
            await asyncio.to_thread(encoder, registry), media_type=None, headers={"content-type": content_type}
        )

    @app.get("/status", responses={200: _body(ReplicaStatus)})
    async def replica_status() -> Response:
        """The routes that this replica serves, with their counts."""
        return Response(status(), media_type="application/json")

    for name, body in _BODIES.items():
        app.add_api_route(
            f"/{name}", _call(admin, name), methods=["POST"], summary=_SUMMARIES[name], description=_HOW,
            openapi_extra=_PARAMETERS, responses=_responses(body),
        )  # fmt: skip
    _describe(app)
    return app


def _call(admin: AdminEndpoint, name: str) -> Callable[[Request], object]:
    async def call(request: Request) -> Response:
        return await admin(name, request)

    call.__name__ = name
    return call


def _responses(body: type[msgspec.Struct]) -> Responses:
    problem = {"content": {CONTENT_TYPE: {"schema": ref(Problem)}}}
    changed: Responses = {
        200: {"description": "Changed, and in effect", **_body(body)},
        202: {"description": "Changed; the effect was not observed within 2 s", **_body(body)},
    }
    return changed | {STATUSES[kind][0]: {"description": text, **problem} for kind, text in _REFUSALS.items()}


def _body(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": ref(kind)}}}


def _describe(app: FastAPI) -> None:
    """Adds the schemas of the response types to the OpenAPI document."""
    _, schemas = msgspec.json.schema_components((ReplicaStatus, *_BODIES.values(), Problem), ref_template=REF)
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        return {**plain(), "components": {"schemas": schemas}}

    app.openapi = openapi  # type: ignore[method-assign]
