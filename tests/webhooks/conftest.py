"""An emulator that renders nothing and posts webhooks, and places on loopback where a receiver takes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from cloudlayer_async import AsyncCloudlayer, Job, PollSchedule, WebhookReceiver
from cloudlayer_async.emulator import Emulator
from cloudlayer_async.emulator.rendering.model import RenderError, Rendering, RenderSpec

TOKEN = "zN3vF0v9hQ-unguessable"


class Renderer:
    """Makes the same few bytes of everything, once its gate is open."""

    engine_name = "none"

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: str | None = None

    async def start(self) -> None: ...

    async def render(self, spec: RenderSpec) -> Rendering:
        await self.gate.wait()
        if self.error is not None:
            raise RenderError(self.error)
        return Rendering(content=b"%PDF-1.7", content_type="application/pdf", extension="pdf")

    async def aclose(self) -> None: ...


@asynccontextmanager
async def serving(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """Lets a handler answer everything on a port of loopback; gives its origin."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class Setting:
    """A client of an emulator whose webhooks reach the client's receiver."""

    def __init__(
        self, emulator: Emulator, renderer: Renderer, client: AsyncCloudlayer, receiver: WebhookReceiver
    ) -> None:
        self.emulator = emulator
        self.renderer = renderer
        self.client = client
        """Sends the receiver's address with every conversion."""
        self.receiver = receiver
        self.told: list[Job] = []
        """What `on_job` got."""

    @property
    def reads(self) -> int:
        """How often jobs were read at the API."""
        return self.emulator.seen.requests["GET jobs/{id}"]


Set = Callable[..., AbstractAsyncContextManager[Setting]]


@pytest.fixture
def setting() -> Set:
    """Builds a `Setting`; arguments are the receiver's, besides `polling`, the client's, and `dialect`, the emulator's."""

    @asynccontextmanager
    async def build(
        *, polling: PollSchedule | None = None, dialect: str = "", **arguments: Any
    ) -> AsyncIterator[Setting]:
        renderer = Renderer()
        polling = polling or PollSchedule(min_interval=60, max_interval=60)  # so that only webhooks can be fast
        async with (
            Emulator(renderer=renderer, workers=1_000, dialect=dialect) as emulator,
            AsyncCloudlayer(emulator.api_key, base_url=emulator.base_url, polling=polling) as root,
        ):
            told: list[Job] = []
            arguments = {"on_job": told.append, **arguments}
            async with WebhookReceiver(root, **arguments) as receiver, serving(receiver.aiohttp_handler) as origin:
                client = root.with_options(webhook=f"{origin}/hooks/{arguments.get('path_token') or ''}")
                setting = Setting(emulator, renderer, client, receiver)
                setting.told = told
                yield setting

    return build
