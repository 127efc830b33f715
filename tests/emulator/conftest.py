"""A fake renderer, and an emulator with it, spoken to with plain HTTP."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from cloudlayer_async.emulator import Emulator
from cloudlayer_async.emulator.rendering.model import RenderError, Rendering, RenderSpec

PDF = b"%PDF-1.7 made by a fake"


class FakeRenderer:
    """Makes no documents; does what a test tells it."""

    def __init__(self) -> None:
        self.engine_name = "fake 1.0"
        self.specs: list[RenderSpec] = []
        self.open = asyncio.Event()
        self.open.set()
        self.error: str | None = None
        self.running = 0
        self.most_running = 0
        self.cancelled = 0
        self.state = "new"

    async def start(self) -> None:
        self.state = "started"

    async def render(self, spec: RenderSpec) -> Rendering:
        self.specs.append(spec)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        if self.error is not None:
            raise RenderError(self.error)
        content, content_type, extension = PDF, "application/pdf", "pdf"
        if spec.conversion.endswith("-image"):
            content, content_type, extension = b"\x89PNG fake", "image/png", "png"
        elif spec.conversion == "docx-html":
            content, content_type, extension = b"<p>fake</p>", "text/html; charset=utf-8", "html"
        preview = b"RIFF fake WEBP" if spec.options.get("generatePreview") else None
        return Rendering(
            content=content,
            content_type=content_type,
            extension=extension,
            preview=preview,
            preview_content_type="image/webp" if preview else None,
            preview_extension="webp" if preview else None,
            notes=("scripts do not run",),
            engine="fake 1.0",
        )

    async def aclose(self) -> None:
        self.state = "closed"


class Caller:
    """Speaks to an emulator as any HTTP client would."""

    def __init__(self, emulator: Emulator, renderer: FakeRenderer, session: aiohttp.ClientSession) -> None:
        self.emulator = emulator
        self.renderer = renderer
        self.session = session

    async def send(self, method: str, path: str, **arguments: Any) -> tuple[int, Any, aiohttp.ClientResponse]:
        """Return status, JSON data or bytes, and the response itself."""
        headers = {"X-API-Key": self.emulator.api_key, **arguments.pop("headers", {})}
        url = path if path.startswith("http") else self.emulator.base_url + path
        async with self.session.request(method, url, headers=headers, **arguments) as response:
            body = await response.read()
            data = await response.json() if response.content_type == "application/json" else body
            return response.status, data, response

    async def get(self, path: str, **arguments: Any) -> Any:
        status, data, _ = await self.send("GET", path, **arguments)
        assert status == 200, (status, data)
        return data

    async def submit(self, path: str = "/v2/html/pdf", **options: Any) -> dict[str, Any]:
        """Submit a conversion that is accepted for later."""
        body = {"html": html("<p>x</p>"), **options} if "/html/" in path else options
        status, data, _ = await self.send("POST", path, json=body)
        assert status in (200, 202), (status, data)
        assert isinstance(data, dict)
        return data

    async def finished(self, **options: Any) -> Any:
        """Submit a conversion and return its job at the end."""
        job = await self.submit(**options)
        await self.emulator.settle()
        return await self.get(f"/v2/jobs/{job.get('id', job.get('jobId'))}")


def html(text: str) -> str:
    """Encode a page as the service wants it."""
    return base64.b64encode(text.encode()).decode()


Start = Callable[..., AbstractAsyncContextManager[Caller]]


@pytest.fixture
def start() -> Start:
    """Return a way to start an emulator with settings of one's own."""

    @asynccontextmanager
    async def start(**settings: Any) -> AsyncIterator[Caller]:
        renderer = settings.pop("renderer", None) or FakeRenderer()
        async with (
            Emulator(renderer=renderer, **settings) as emulator,
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
        ):
            yield Caller(emulator, renderer, session)

    return start


@pytest_asyncio.fixture
async def caller(start: Start) -> AsyncIterator[Caller]:
    """An emulator with all defaults."""
    async with start() as caller:
        yield caller
