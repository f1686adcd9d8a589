"""`/healthz`, `/readyz` and `/metrics`, for the kubelet and Prometheus."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder


@asynccontextmanager
async def serving(
    host: str,
    port: int,
    *,
    unhealthy: Callable[[], list[str]],
    unready: Callable[[], str],
    registry: CollectorRegistry,
) -> AsyncIterator[int]:
    """Serves while the context is open; yields the port. Raises OSError if the port is in use."""

    async def healthz(_: web.Request) -> web.Response:
        """500 with each part that is stuck. 200 while the API server is away, as a restart would not help."""
        problems = unhealthy()
        return web.Response(text="\n".join(problems or ["ok"]) + "\n", status=500 if problems else 200)

    async def readyz(_: web.Request) -> web.Response:
        """200 while the cache is synced and the watches run; else 503 with the reason."""
        problem = unready()
        return web.Response(text=f"{problem or 'ok'}\n", status=503 if problem else 200)

    async def metrics(request: web.Request) -> web.Response:
        """In the format that the Accept header selects."""
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
