"""A server that does next to nothing, in a process of its own, so that a benchmark measures the client alone.

    python benchmarks/server.py        prints its address when ready and serves until its standard input ends

It accepts every conversion at once, shows every job as done, and serves assets of any size asked for (`/asset/SIZE`). Below
`/later` it does the same, each time `LATENCY` seconds later.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

LATENCY = 0.01
_CHUNK = b"\0" * (256 * 1024)
_NUMBERS = itertools.count(1)


def _reply(body: object, status: int = 200) -> web.Response:
    return web.Response(body=json.dumps(body).encode(), status=status, content_type="application/json")


async def accept(request: web.Request) -> web.Response:
    """A conversion: read and accepted."""
    await request.read()
    return _reply({"id": f"job-{next(_NUMBERS)}", "status": "pending", "timestamp": 1767225600000}, 202)


async def product(request: web.Request) -> web.Response:
    """A synchronous conversion: the product, 100 KB of it."""
    await request.read()
    return web.Response(body=_CHUNK[: 100 * 1024], status=201, content_type="application/pdf")


async def job(request: web.Request) -> web.Response:
    """A job, done."""
    url = f"http://{request.host}{request.get('prefix', '')}/asset/{request.query.get('size', 10240)}"
    return _reply({"id": request.match_info["id"], "status": "success", "assetUrl": url, "type": "html-pdf"})


async def status(_: web.Request) -> web.Response:
    """The service is well."""
    return _reply({"status": "ok"})


async def asset(request: web.Request) -> web.StreamResponse:
    """So many bytes."""
    size = int(request.match_info["size"])
    response = web.StreamResponse(headers={"Content-Type": "application/pdf"})
    response.content_length = size
    await response.prepare(request)
    while size > 0:
        await response.write(_CHUNK[:size])
        size -= len(_CHUNK)
    return response


@web.middleware
async def later(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Not at once, as no service answers."""
    request["prefix"] = "/later"
    await asyncio.sleep(LATENCY)
    return await handler(request)


def application() -> web.Application:
    """The routes."""
    app = _routes()
    app.add_subapp("/later", _routes(later))
    return app


def _routes(*middlewares: Any) -> web.Application:
    app = web.Application(client_max_size=64 * 1024**2, middlewares=middlewares)
    app.router.add_post("/v2/html/pdf", accept)
    app.router.add_post("/v1/html/pdf", product)
    app.router.add_get("/v2/jobs/{id}", job)
    app.router.add_get("/v2/getStatus", status)
    app.router.add_get("/v1/getStatus", status)
    app.router.add_get("/asset/{size}", asset)
    return app


async def serve() -> None:
    """Serves on a free loopback port until standard input ends."""
    runner = web.AppRunner(application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    print(f"http://{host}:{port}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


@contextmanager
def running() -> Iterator[str]:
    """A server in a process of its own; gives its address."""
    process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(timeout=10)
        process.stdout.close()


if __name__ == "__main__":
    asyncio.run(serve())
