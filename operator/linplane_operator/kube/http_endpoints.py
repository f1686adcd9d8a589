"""The port that kubelet and Prometheus ask: `/healthz`, `/readyz`, `/metrics`."""

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
    """Answers while it is open; gives the port. Raises OSError where it is taken."""

    async def healthz(_: web.Request) -> web.Response:
        """500 names each part that is wedged. It stays 200 while the API server is away: no restart cures that."""
        problems = unhealthy()
        return web.Response(text="\n".join(problems or ["ok"]) + "\n", status=500 if problems else 200)

    async def readyz(_: web.Request) -> web.Response:
        """200 once everything was seen once, while the watches run; 503 says what is waited for."""
        problem = unready()
        return web.Response(text=f"{problem or 'ok'}\n", status=503 if problem else 200)

    async def metrics(request: web.Request) -> web.Response:
        """In the form that is asked for."""
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
