"""The whole emulator with its default engine: what comes out are documents."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from PIL import Image
from pypdf import PdfReader

from cloudlayer_async.emulator import Emulator

from .conftest import html


class Client:
    """Just enough of a client."""

    def __init__(self, emulator: Emulator, session: aiohttp.ClientSession) -> None:
        self.emulator = emulator
        self.session = session

    async def convert(self, path: str, **body: Any) -> bytes:
        """Return the product of a synchronous conversion."""
        async with self.session.post(f"{self.emulator.base_url}/v1/{path}", json=body) as response:
            content = await response.read()
            assert response.status == 201, content
            return content

    async def job(self, path: str, **body: Any) -> dict[str, Any]:
        """Return a job at its end."""
        async with self.session.post(f"{self.emulator.base_url}/v2/{path}", json=body) as response:
            assert response.status == 202, await response.text()
            id_ = (await response.json())["id"]
        await self.emulator.settle()
        async with self.session.get(f"{self.emulator.base_url}/v2/jobs/{id_}") as response:
            return dict(await response.json())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client() -> AsyncIterator[Client]:
    async with (
        Emulator(engine="plutoprint", workers=4) as emulator,
        aiohttp.ClientSession(headers={"X-API-Key": emulator.api_key}) as session,
    ):
        yield Client(emulator, session)


pytestmark = pytest.mark.asyncio(loop_scope="module")


def text(pdf: bytes) -> str:
    return " ".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


async def test_a_page_becomes_a_pdf(client: Client) -> None:
    assert "Tide tables" in text(await client.convert("html/pdf", html=html("<h1>Tide tables</h1>"), format="a5"))


async def test_a_page_becomes_a_picture(client: Client) -> None:
    content = await client.convert(
        "html/image", html=html("<h1>x</h1>"), imageType="webp", viewPort={"width": 320, "height": 200}
    )
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.width) == ("WEBP", 320)


async def test_every_template_of_the_gallery_renders_its_sample(client: Client) -> None:
    async with client.session.get(f"{client.emulator.base_url}/v2/templates?expand=true") as response:
        templates = await response.json()
    for template in templates:
        body = {"templateId": template["templateId"], "data": template["sampleData"]}
        if template["type"] == "image":
            assert await client.convert("template/image", **body)
            continue
        shown = text(await client.convert("template/pdf", **body))
        assert "undefined" not in shown
        if template["templateId"] == "plain-invoice":
            assert "Invoice A-17" in shown
            assert "$65.00" in shown
            assert "$25.00" in shown
        else:
            assert "An evening of chamber music" in shown


async def test_a_failing_template_fails_its_job(client: Client) -> None:
    job = await client.job("template/pdf", template=html("{% nonsense %}"), data={})
    assert job["status"] == "error"
    assert job["error"]


async def test_a_page_of_a_host_that_is_not_allowed(client: Client) -> None:
    job = await client.job("url/pdf", url="http://127.0.0.1:9/")
    assert job["status"] == "error"
    assert "allow" in job["error"]


async def test_products_with_previews_can_be_merged(client: Client) -> None:
    first, second = [
        await client.job("html/pdf", html=html(f"<h1>{word}</h1>"), generatePreview={"width": 100, "quality": 80})
        for word in ("Flood", "Ebb")
    ]
    async with client.session.get(first["previewUrl"]) as response:
        content = await response.read()
    with Image.open(io.BytesIO(content)) as preview:
        assert preview.width == 100
    merged = await client.job("pdf/merge", batch={"urls": [first["assetUrl"], second["assetUrl"]]})
    assert merged["status"] == "success", merged
    async with aiohttp.ClientSession() as session, session.get(merged["assetUrl"]) as response:
        pdf = await response.read()
    assert len(PdfReader(io.BytesIO(pdf)).pages) == 2
    assert "Flood" in text(pdf)
    assert "Ebb" in text(pdf)


async def test_renders_do_not_block_the_api(client: Client) -> None:
    page = html("<table>" + "<tr><td>one<td>two<td>three</tr>" * 4000 + "</table>")
    jobs = [asyncio.create_task(client.convert("html/pdf", html=page)) for _ in range(4)]
    slowest = 0.0
    while not all(job.done() for job in jobs):
        started = time.perf_counter()
        async with client.session.get(f"{client.emulator.base_url}/v2/getStatus") as response:
            assert response.status == 200
        slowest = max(slowest, time.perf_counter() - started)
    await asyncio.gather(*jobs)
    assert slowest < 0.5
