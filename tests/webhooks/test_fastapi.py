"""The receiver in FastAPI, behind a real ASGI server."""

from __future__ import annotations

import asyncio
import gzip
import io
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import uvicorn
from fastapi import FastAPI
from readme import examples
from servers import Service

from cloudlayer_async import AsyncCloudlayer, Job, WebhookReceiver
from cloudlayer_async.emulator import Emulator

from .conftest import TOKEN, Renderer

NEWS = b'{"id": "7Kq2", "status": "success"}'


@pytest.fixture
def listening() -> Any:
    """A socket on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@asynccontextmanager
async def uvicorn_serving(app: Any, listener: socket.socket, **settings: Any) -> AsyncIterator[str]:
    """The application behind uvicorn, from its lifespan's start to its end; gives the origin."""
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(app, ws="none", lifespan="on", log_config=None, access_log=False, **settings)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            await asyncio.sleep(0.001)
        yield origin
    finally:
        server.should_exit = True
        await running


@pytest.mark.asyncio
@pytest.mark.parametrize("root_path", ["", "/api"])
async def test_mounted(service: Service, client: AsyncCloudlayer, listening: socket.socket, root_path: str) -> None:
    service.answers("GET /v2/jobs/7Kq2", {"id": "7Kq2", "status": "success"})
    told: list[Job] = []
    outer, inner = FastAPI(), FastAPI()
    async with WebhookReceiver(client, path_token=TOKEN, on_job=told.append, body_timeout=0.3) as receiver:
        outer.mount("/hooks", receiver.asgi)
        outer.mount("/inner", inner)
        inner.mount("/hooks", receiver.asgi)
        async with uvicorn_serving(outer, listening, root_path=root_path) as origin, aiohttp.ClientSession() as session:

            async def post(path: str, data: Any = NEWS, **headers: str) -> int:
                async with session.post(origin + path, data=data, headers=headers) as response:
                    return response.status

            for above in ("/hooks", "/inner/hooks"):
                assert await post(f"{above}/{TOKEN}") == 200
                assert await post(f"{above}/{TOKEN}?a=b") == 200
                assert await post(f"{above}/{TOKEN}x") == 404
                assert await post(f"{above}/") == 404
            assert await post(f"/hooks/{TOKEN}", b"hello") == 400
            assert await post(f"/hooks/{TOKEN}", io.BytesIO(b"x" * 2**21)) == 413
            bomb = gzip.compress(b"x" * 10_000_000)
            assert await post(f"/hooks/{TOKEN}", bomb, **{"Content-Encoding": "gzip"}) == 415
            assert await post(f"/hooks/{TOKEN}", dribble()) == 408
        assert (await receiver.handle({}, NEWS, path=TOKEN))[0] == 200  # the server's end was not the receiver's
    assert len(told) == 1


async def dribble() -> AsyncIterator[bytes]:
    """Each byte comes in time, and the whole does not."""
    for _ in range(1_000):
        yield b" "
        await asyncio.sleep(0.005)


@pytest.mark.asyncio
async def test_as_the_only_application(service: Service, client: AsyncCloudlayer, listening: socket.socket) -> None:
    service.answers("GET /v2/jobs/7Kq2", {"id": "7Kq2", "status": "success"})
    told: list[Job] = []
    receiver = WebhookReceiver(client, path_token=TOKEN, on_job=told.append)
    async with uvicorn_serving(receiver.asgi, listening) as origin, aiohttp.ClientSession() as session:
        async with session.post(f"{origin}/{TOKEN}", data=NEWS) as response:
            assert (response.status, await response.read()) == (200, b"ok")
    assert len(told) == 1
    assert (await receiver.handle({}, NEWS, path=TOKEN))[0] == 503  # closed


@pytest.mark.asyncio
async def test_the_example_of_the_readme(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [example] = [example for example in examples() if "FastAPI(" in example.code]
    async with Emulator(renderer=Renderer()) as emulator:
        monkeypatch.setenv("CLOUDLAYER_BASE_URL", emulator.base_url)
        monkeypatch.setenv("CLOUDLAYER_API_KEY", emulator.api_key)
        monkeypatch.setenv("PUBLIC_URL", f"http://127.0.0.1:{listening.getsockname()[1]}")
        names: dict[str, Any] = {"__name__": "app"}
        exec(compile(example.code, example.name, "exec"), names)
        async with uvicorn_serving(names["app"], listening) as origin, aiohttp.ClientSession() as session:
            async with session.post(f"{origin}/statements") as response:
                assert response.status == 202
                job_id = (await response.json())["job"]
            printed = ""
            async with asyncio.timeout(20):
                while f"ended: {job_id} success" not in printed:
                    await asyncio.sleep(0.005)
                    printed += capsys.readouterr().out
