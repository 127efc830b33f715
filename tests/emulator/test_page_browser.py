"""The page in a real browser: live, complete, and deaf to whatever the documents and their names try."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pypdfium2
import pytest
import pytest_asyncio
from aiohttp import web
from PIL import Image

from cloudlayer_async.emulator import Emulator
from cloudlayer_async.emulator.rendering.model import Rendering, RenderSpec

from .browser import Page, browser, program
from .conftest import Caller, FakeRenderer, Start

NEEDED = "No Chromium on this machine: apt-get install chromium-headless-shell"
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.skipif(program() is None, reason=NEEDED)]

EVIL = '<img src=x onerror="top.pwned=1"><script>top.pwned=1</script>\'"&amp;javascript:top.pwned=1'
EVIL_PAGE = (
    "<h1>evil</h1><script>top.pwned=1; parent.pwned=1</script><img src=OUTSIDE/leak onerror=top.pwned=1>"
    "<meta http-equiv=refresh content='0;url=OUTSIDE/away'><link rel=stylesheet href=OUTSIDE/style>"
)


def _png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGBA", (64, 32), (200, 30, 30, 128)).save(buffer, "PNG")
    return buffer.getvalue()


def _pdf() -> bytes:
    buffer = io.BytesIO()
    with pypdfium2.PdfDocument.new() as document:
        document.new_page(200, 100)
        document.save(buffer)
    return buffer.getvalue()


PRODUCTS = {
    "image": (_png(), "image/png", "png"),
    "html": (b"<p>harmless</p>", "text/html", "html"),
    "pdf": (_pdf(), "application/pdf", "pdf"),
}
"""By the end of the conversion's name."""


class Maker(FakeRenderer):
    """Gives real documents, the same ones always."""

    def __init__(self) -> None:
        super().__init__()
        self.engine_name = "plutoprint 0.23"
        self.notes: tuple[str, ...] = ()
        self.products = dict(PRODUCTS)

    async def render(self, spec: RenderSpec) -> Rendering:
        await super().render(spec)
        content, content_type, extension = self.products[spec.conversion.rpartition("-")[2]]
        preview = _png() if spec.options.get("generatePreview") else None
        return Rendering(
            content=content,
            content_type=content_type,
            extension=extension,
            preview=preview,
            preview_content_type="image/png" if preview else None,
            preview_extension="png" if preview else None,
            notes=self.notes,
            engine=self.engine_name,
        )


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def window() -> AsyncIterator[Page]:
    command = program()
    assert command is not None
    async with browser(command) as page:
        yield page


@pytest_asyncio.fixture(loop_scope="module")
async def desk(start: Start) -> AsyncIterator[Caller]:
    async with start(renderer=Maker()) as caller:
        yield caller


@pytest_asyncio.fixture(loop_scope="module")
async def page(window: Page, desk: Caller) -> AsyncIterator[Page]:
    """The page of `desk`, open and live. It asks nobody else for anything, and complains about nothing."""
    await show(window, desk)
    yield window
    assert {urlsplit(url).netloc for url in window.requests} <= {urlsplit(desk.emulator.base_url).netloc}
    assert window.complaints == []
    assert not await window.evaluate("'pwned' in window")


@asynccontextmanager
async def listening(handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """A server elsewhere on this machine."""
    runner = web.ServerRunner(web.Server(handler))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def show(window: Page, caller: Caller) -> None:
    await window.goto("about:blank")
    window.complaints.clear()
    window.requests.clear()
    await window.goto(caller.emulator.base_url + "/")
    await window.until("document.querySelector('#live').textContent === 'live'")


async def complaints(page: Page, count: int) -> None:
    """Wait until the browser says that it has refused so much."""
    async with asyncio.timeout(20):
        while sum("Content Security Policy" in text or "sandboxed" in text for text in page.complaints) < count:
            await asyncio.sleep(0.02)


async def open_tab(page: Page, name: str) -> None:
    await page.evaluate(f"document.querySelector('#tab-{name}').click()")


async def choose(page: Page, name: str) -> None:
    """Click on a job and wait until it is the one that is shown."""
    text = json.dumps(name)
    await page.until(f"[...document.querySelectorAll('#job-rows .name')].some(one => one.textContent === {text})")
    await page.evaluate(
        f"[...document.querySelectorAll('#job-rows .name')].find(one => one.textContent === {text}).click()"
    )
    await page.until(f"document.querySelector('#detail h2')?.textContent === {text}")


LOADED = "(() => {{ const image = document.querySelector('{}'); return image?.complete && image.naturalWidth; }})()"


async def test_a_job_is_shown_as_it_happens(page: Page, desk: Caller) -> None:
    hint = json.dumps(f"CLOUDLAYER_BASE_URL={desk.emulator.base_url}\n")
    await page.until(f"document.querySelector('#hint').textContent.includes({hint})")
    await page.evaluate("window.same = true")
    desk.renderer.open.clear()
    await desk.submit("/v2/html/image", html="eA==", name="poster", imageType="png", trim=True)
    await page.until("document.querySelector('#job-rows .status').textContent === 'rendering'")
    await page.until("document.querySelector('#detail').innerText.includes('In the works')")
    desk.renderer.open.set()
    await page.until("document.querySelector('#job-rows .status').textContent === 'success'")
    await page.until(f"{LOADED.format('#detail figure img')} === 64")
    shown = await page.text("#detail")
    for text in (
        "poster",
        "html-image on v2",
        "Process time",
        "Cost",
        "plutoprint 0.23",
        '"trim": true',
        '"html": "..."',
    ):
        assert text in shown
    await page.until("document.querySelector('#figures').innerText.replaceAll('\\n', ' ').includes('succeeded 1')")
    assert await page.evaluate("window.same") is True


async def test_the_error_of_a_failed_job(page: Page, desk: Caller) -> None:
    desk.renderer.error = "Navigation timeout of 30000 ms exceeded"
    await desk.submit(name="late")
    await page.until("document.querySelector('#detail p.error') !== null")
    assert await page.text("#detail p.error") == "Navigation timeout of 30000 ms exceeded"
    assert "It made no document" in await page.text("#detail")
    assert await page.text("#job-rows .status") == "error"


async def test_a_preview_and_what_could_not_be_done(page: Page, desk: Caller) -> None:
    assert isinstance(desk.renderer, Maker)
    desk.renderer.notes = ("The document has scripts, and this engine runs none",)
    await desk.submit(name="invoice", generatePreview=True)
    await page.until(f"{LOADED.format('#detail .preview img')} === 64")
    assert "this engine runs none" in await page.text("#detail .notes")
    assert "notes" in await page.evaluate("document.querySelector('#job-rows .status').title")
    await open_tab(page, "assets")
    await page.until(f"{LOADED.format('#asset-cards img')} === 64")
    await page.evaluate("document.querySelector('#asset-cards button').click()")
    assert await page.evaluate("document.querySelector('#jobs').hidden") is False
    await open_tab(page, "about")
    await page.until("document.querySelector('#about').innerText.includes('CSS grid is stacked')")
    assert "No scripts run" in await page.text("#about")


async def test_a_pdf_where_the_browser_has_a_viewer(desk: Caller) -> None:
    command = program("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
    if command is None:
        pytest.skip(
            "Only a whole Chromium has a PDF viewer, chromium-headless-shell has none: apt-get install chromium"
        )
    async with browser(command) as page:
        await show(page, desk)
        await desk.submit(name="letter")
        await page.until("document.querySelector('#detail iframe') !== null")
        async with asyncio.timeout(20):
            while not any(url.startswith("chrome-extension://") for url in page.requests):
                await asyncio.sleep(0.02)
        assert page.complaints == []


async def test_a_pdf_where_the_browser_has_none(page: Page, desk: Caller) -> None:
    if await page.evaluate("navigator.pdfViewerEnabled"):
        pytest.skip("This browser has a PDF viewer")
    await desk.submit(name="letter")
    await page.until("document.querySelector('#detail a') !== null")
    assert "shows no PDF" in await page.text("#detail figure")
    told = "fetch(document.querySelector('#detail a').href).then(reply => reply.text()).then(text => text.slice(0, 5))"
    assert await page.evaluate(told) == "%PDF-"


async def test_nothing_that_was_sent_is_executed(window: Page, start: Start) -> None:
    asked: list[str] = []

    async def outside(request: web.BaseRequest) -> web.Response:
        asked.append(request.path)
        return web.Response()

    maker = Maker()
    async with start(renderer=maker) as desk, listening(outside) as origin:
        maker.products["html"] = (EVIL_PAGE.replace("OUTSIDE", origin).encode(), "text/html", "html")
        bucket = {"title": EVIL, "region": EVIL, "bucket": EVIL, "accessKeyId": EVIL, "secretAccessKey": EVIL}
        assert (await desk.send("POST", "/v2/storage", json=bucket))[0] in (200, 201)
        texts = {"name": EVIL, "filename": EVIL, "projectId": EVIL, "extraOption": EVIL}
        maker.notes = (EVIL,)
        await desk.finished(**texts, webhook="http://127.0.0.1:1/" + EVIL.replace(" ", ""), generatePreview=True)
        maker.error = EVIL
        await desk.finished(**{**texts, "name": "failed " + EVIL})
        maker.error = None
        form = {"file": io.BytesIO(b"PK\x03\x04")}
        assert (await desk.send("POST", "/v2/docx/html", data=form))[0] == 202
        await desk.emulator.settle()
        await show(window, desk)
        document = "document.querySelector('#detail iframe')"
        await window.until(f"{document} !== null && {document}.contentDocument === null")  # of an origin of its own
        await complaints(window, 2)  # of the product's script and picture, which came to nothing
        for name in (EVIL, "failed " + EVIL):
            await choose(window, name)
            assert EVIL in await window.text("#detail")
        assert await window.text("#detail p.error") == EVIL
        for tab in ("assets", "deliveries", "faults", "about"):
            await open_tab(window, tab)
            await window.until(f"document.querySelector('#{tab}').innerText.length > 20")
        await window.goto(desk.emulator.base_url + "/?x=1#" + "%3Cimg%20src=x%20onerror=top.pwned=1%3E")
        await window.until("document.querySelector('#live').textContent === 'live'")
        await window.until("document.querySelector('#detail').innerText.includes('no longer kept')")
        assert not await window.evaluate("'pwned' in window")
        assert (
            await window.evaluate("document.querySelectorAll('#detail script, #detail [onerror], #jobs script').length")
            == 0
        )
        assert asked == []


async def test_no_key_is_on_the_page(page: Page, desk: Caller) -> None:
    await desk.submit(name="letter", webhook="http://127.0.0.1:1/hook-token")
    await desk.emulator.settle()
    await page.until("document.querySelector('#job-rows .status').textContent === 'success'")
    for tab in ("assets", "deliveries", "faults", "about", "jobs"):
        await open_tab(page, tab)
        await page.until(f"document.querySelector('#{tab}').innerText.length > 20")
    await page.until("document.querySelector('#delivery-rows tr') !== null")
    everything = await page.evaluate(
        "document.documentElement.outerHTML + JSON.stringify(localStorage) + document.cookie"
    )
    assert "letter" in everything
    for secret in (desk.emulator.api_key, desk.emulator.api_key[:8], "hook-token", "sig="):
        assert secret not in everything


async def test_a_fault_switch(page: Page, desk: Caller) -> None:
    await open_tab(page, "faults")
    await page.evaluate(
        "(() => { const form = document.querySelector('#faults form').elements;"
        "form.status.value = '429'; form.retry_after.value = '7'; form.count.value = '2'; })()"
    )
    await page.evaluate("document.querySelector('#faults [type=submit]').click()")
    await page.until("document.querySelector('#fault-list tbody tr') !== null")
    [active] = desk.emulator.faults.active
    fault = active.fault
    assert (fault.kind, fault.on, fault.status, fault.retry_after, fault.count) == ("status", "conversions", 429, 7, 2)
    status, _, response = await desk.send("POST", "/v2/html/pdf", json={"html": "eA=="})
    assert (status, response.headers["Retry-After"]) == (429, "7")
    await page.until("document.querySelector('#fault-list .number:not(th)').textContent === '1'")
    assert await page.text("#count-faults") == "1"
    await page.evaluate("document.querySelector('#fault-list button').click()")
    await page.until("document.querySelector('#fault-list tbody tr') === null")
    assert desk.emulator.faults.active == ()
    assert "status 1" in await page.text("#fault-list")


async def test_every_kind_of_fault_can_be_switched_on(page: Page, desk: Caller) -> None:
    await open_tab(page, "faults")
    kinds = await page.evaluate("[...document.querySelector('#fault-kind').options].map(one => one.value)")
    for number, kind in enumerate(kinds, 1):
        await page.evaluate(
            f"(() => {{ const form = document.querySelector('#faults form'); form.elements.kind.value = '{kind}';"
            "form.elements.kind.dispatchEvent(new Event('change'));"
            "if (form.elements.seconds?.required) form.elements.seconds.value = '0.5'; form.requestSubmit(); })()"
        )
        await page.until(f"document.querySelectorAll('#fault-list tbody tr').length === {number}")
    assert [active.fault.kind for active in desk.emulator.faults.active] == kinds
    await page.evaluate("document.querySelector('[data-fault=all]').click()")
    await page.until("document.querySelector('#fault-list tbody tr') === null")


async def test_webhooks_are_listed(page: Page, desk: Caller) -> None:
    async def receive(_: web.BaseRequest) -> web.Response:
        return web.Response(status=503)

    async with listening(receive) as origin:
        await desk.submit(name="told", webhook=origin + "/hook")
        await page.until("document.querySelector('#delivery-rows tr') !== null")
        await open_tab(page, "deliveries")
        shown = await page.text("#delivery-rows")
        assert "503" in shown
        assert origin + "/..." in shown
        await page.until("document.querySelector('#detail').textContent.includes('/...: 503')")


async def test_keys_alone_are_enough(page: Page, desk: Caller) -> None:
    for name in ("first", "second"):
        await desk.submit(name=name)
        await desk.emulator.settle()
    await page.until("document.querySelectorAll('#job-rows tr').length === 2")
    await choose(page, "second")
    await page.evaluate("document.querySelector('#job-rows .name').focus()")
    await page.press("ArrowDown")
    await page.until("document.querySelector('#detail h2').textContent === 'first'")
    await page.evaluate("document.querySelector('#tab-jobs').focus()")
    await page.press("ArrowRight")
    assert await page.evaluate("document.querySelector('#assets').hidden") is False


async def test_a_thousand_jobs(page: Page, desk: Caller) -> None:
    for chunk in range(10):
        await asyncio.gather(*(desk.submit(name=f"n{chunk}-{number}") for number in range(100)))
    await desk.emulator.settle()
    await desk.submit(name="the last")
    await page.until("document.querySelector('#job-rows .name').textContent === 'the last'")
    await page.until("document.querySelectorAll('#job-rows tr').length === 200")
    await page.until("document.querySelector('#count-jobs').textContent === '1001'")
    await page.evaluate(
        "(() => { const filter = document.querySelector('#filter'); filter.value = 'n9-7';"
        "filter.dispatchEvent(new Event('input')); })()"
    )
    shown = "[...document.querySelectorAll('#job-rows tr:not([hidden]) .name')].map(one => one.textContent)"
    assert set(await page.evaluate(shown)) == {"n9-7", *(f"n9-7{digit}" for digit in range(10))}


async def test_it_comes_back_with_the_emulator(window: Page, start: Start) -> None:
    async with start(renderer=Maker()) as caller:
        await show(window, caller)
        port = int(caller.emulator.base_url.rpartition(":")[2])
    await window.until("document.querySelector('#live').textContent === 'not connected'")
    async with Emulator(renderer=Maker(), port=port):
        await window.until("document.querySelector('#live').textContent === 'live'")
