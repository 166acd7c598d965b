"""A port for the numbers of a process that serves no API."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from socket import socket

from aiohttp import web

from service.platform.metrics import exposition
from service.platform.metrics.process import Numbers


@asynccontextmanager
async def serving(numbers: Numbers, is_ready: Callable[[], bool], listener: socket) -> AsyncGenerator[None]:
    """Serve /metrics, /livez and /readyz. No key is asked for: keep it inside."""

    async def metrics(request: web.Request) -> web.Response:
        text, media_type = exposition.write(numbers, request.headers.get("accept", ""))
        return web.Response(body=text, headers={"Content-Type": media_type})

    async def livez(_: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def readyz(_: web.Request) -> web.Response:
        ready = is_ready()
        return web.json_response({"status": "ready" if ready else "not_ready"}, status=200 if ready else 503)

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics), web.get("/livez", livez), web.get("/readyz", readyz)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.SockSite(runner, listener, shutdown_timeout=1).start()
        yield
    finally:
        await runner.cleanup()
