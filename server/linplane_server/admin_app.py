"""The admin listener's ASGI application: probes, metrics, this replica's status, and the admin calls."""

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

from .health import Health


def admin_app(health: Health) -> FastAPI:
    """See the module."""
    app = FastAPI(title="Linplane admin", redoc_url=None)

    @app.get("/livez")
    async def livez() -> PlainTextResponse:
        return PlainTextResponse("ok")

    @app.get("/readyz")
    async def readyz() -> PlainTextResponse:
        reason = health.unready()
        return PlainTextResponse(reason or "ok", 503 if reason else 200)

    return app
