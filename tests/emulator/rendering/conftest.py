"""Renderers that all tests share, and a site on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from aiohttp import web

from cloudlayer_async.emulator.rendering import Renderer
from cloudlayer_async.emulator.rendering.selection import find_chromium

needs_chromium = pytest.mark.skipif(
    find_chromium() is None, reason="No Chromium on this machine: apt-get install chromium-headless-shell"
)


class Site:
    """A web site on loopback that does what a test tells it."""

    def __init__(self) -> None:
        self.origin = ""
        self.requests: list[web.Request] = []
        self.answers: dict[str, Callable[[web.Request], web.Response]] = {}
        self.held = asyncio.Event()
        """Set once someone asks for ``/held``, which is answered when `released`."""
        self.released = asyncio.Event()

    @property
    def host(self) -> str:
        return self.origin.removeprefix("http://")

    def page(self, path: str, text: str, **headers: str) -> str:
        self.answers[path] = lambda _: web.Response(text=text, content_type="text/html", headers=headers)
        return self.origin + path

    def file(self, path: str, content: bytes) -> None:
        self.answers[path] = lambda _: web.Response(body=content)

    def asked(self) -> list[str]:
        return [request.path for request in self.requests]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if request.path == "/held":
            self.held.set()
            await self.released.wait()
            return web.Response(text="held", content_type="text/plain")
        answer = self.answers.get(request.path)
        return answer(request) if answer is not None else web.Response(status=404, text="nothing here")


async def serve(site: Site) -> AsyncIterator[Site]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", site.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        site.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield site
    finally:
        site.released.set()
        await runner.cleanup()


@pytest_asyncio.fixture(loop_scope="session")
async def site() -> AsyncIterator[Site]:
    async for served in serve(Site()):
        yield served


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pluto() -> AsyncIterator[Renderer]:
    """The pip-only engine. Every port of this machine is on its allow list."""
    renderer = Renderer(engine="plutoprint", workers=2, allowed_hosts=["127.0.0.1"])
    await renderer.start()
    yield renderer
    await renderer.aclose()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Renderer]:
    """The browser. Every port of this machine is on its allow list."""
    renderer = Renderer(engine="chromium", workers=2, allowed_hosts=["127.0.0.1"])
    await renderer.start()
    yield renderer
    await renderer.aclose()


@pytest.fixture(params=["pluto", pytest.param("chromium", marks=needs_chromium)])
def renderer(request: pytest.FixtureRequest) -> Renderer:
    """Each engine in turn: what is tested with this must hold for both."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Renderer)
    return found
