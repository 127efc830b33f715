"""Drawing with Chromium: a context of its own for each document."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from .. import bands, geometry
from ..job import Job, Page
from ..model import RenderError
from .browser import Browser
from .cdp import BrowserGoneError
from .glyphs import note_missing_glyphs
from .tab import Tab, open_tab
from .waits import until_ready

MAX_SIDE = 16_384
"""Pixels; beyond, Chromium draws the same strip again and again."""

_Result = TypeVar("_Result")
_EXTRACT = """
(() => {
  const node = document.querySelector(SELECTOR);
  if (!node) return null;
  const styles = [...document.querySelectorAll("style")].map((style) => style.outerHTML).join("");
  node.remove();
  return styles + node.outerHTML;
})()
"""


class ChromiumEngine:
    """Chromium, started when first needed and again after it died.

    Args:
        program: Its path.
    """

    def __init__(self, program: str) -> None:
        self.name = "chromium"
        self._program = program
        self._starting = asyncio.Lock()
        self._browser: Browser | None = None
        self._closed = False

    async def start(self) -> None:
        """Start the browser.

        Raises:
            RenderError: It does not start.
        """
        self.name = f"chromium {(await self._running()).version.partition('/')[2]}"

    async def aclose(self) -> None:
        """Kill the browser; what it was drawing fails."""
        self._closed = True
        async with self._starting:
            if self._browser is not None:
                await self._browser.aclose()
                self._browser = None

    async def open(self, job: Job, url: str) -> Page:
        """Leave the address to the browser, which asks our fetcher for it."""
        return Page(html="", url=url, is_address=True)

    async def pdf(self, job: Job, page: Page) -> bytes:
        """Print a document.

        Raises:
            RenderError: It cannot be loaded or printed.
        """
        paper = geometry.paper(job.options, is_template=job.is_template)
        return await self._with_tab(job, page, lambda tab: _print(tab, job, paper))

    async def image(self, job: Job, page: Page) -> bytes:
        """Take a picture of a whole document.

        Raises:
            RenderError: It cannot be loaded, or the picture would be too large.
        """
        viewport = geometry.viewport(job.options)
        picture = await self._with_tab(job, page, lambda tab: _capture(tab, viewport))
        frame = await job.work("finish_image", {"options": job.options}, (picture,))
        return frame.blobs[0]

    async def _with_tab(self, job: Job, page: Page, draw: Callable[[Tab], Awaitable[_Result]]) -> _Result:
        try:
            return await self._draw(job, page, draw)
        except BrowserGoneError:
            # A neighbour may have brought the browser down. If it was this document, it will do so again.
            if self._closed:
                raise
            return await self._draw(job, page, draw)

    async def _draw(self, job: Job, page: Page, draw: Callable[[Tab], Awaitable[_Result]]) -> _Result:
        browser = await self._running()
        async with open_tab(browser.connection, job, page) as tab:
            await _emulate(tab, job)
            job.waiting_for = "the document"
            await tab.go()
            await until_ready(tab, job, default="networkidle2" if page.is_address else "load")
            await note_missing_glyphs(tab, job)
            return await draw(tab)

    async def _running(self) -> Browser:
        async with self._starting:
            if self._closed:
                raise RenderError("The renderer is closed")
            if self._browser is not None and not self._browser.connection.is_open:
                await self._browser.aclose()
                self._browser = None
            if self._browser is None:
                self._browser = await Browser.start(self._program)
            return self._browser


async def _emulate(tab: Tab, job: Job) -> None:
    options = job.options
    viewport = geometry.viewport(options)
    given = options.get("viewPort") or {}
    await tab.call(
        "Emulation.setDeviceMetricsOverride",
        {
            "width": viewport.width,
            "height": viewport.height,
            "deviceScaleFactor": viewport.ratio,
            "mobile": bool(given.get("isMobile")),
        },
    )
    if given.get("hasTouch"):
        await tab.call("Emulation.setTouchEmulationEnabled", {"enabled": True})
    if options.get("emulateMediaType"):
        await tab.call("Emulation.setEmulatedMedia", {"media": options["emulateMediaType"]})
    if options.get("timeZone"):
        try:
            await tab.call("Emulation.setTimezoneOverride", {"timezoneId": options["timeZone"]})
        except RenderError as error:
            raise RenderError(f"timeZone is not known: {options['timeZone']}") from error
    if options.get("transparent"):
        clear = {"r": 0, "g": 0, "b": 0, "a": 0}
        await tab.call("Emulation.setDefaultBackgroundColorOverride", {"color": clear})
    cookies = _cookies(job)
    if cookies:
        await tab.call("Network.setCookies", {"cookies": cookies})


def _cookies(job: Job) -> list[dict[str, Any]]:
    """For the page's scripts; requests get theirs from our fetcher."""
    if job.target is None:
        return []
    names = ("name", "value", "domain", "path", "expires", "httpOnly", "secure", "sameSite")
    return [
        {"url": job.target.url, **{name: cookie[name] for name in names if cookie.get(name) is not None}}
        for cookie in job.target.cookies
    ]


async def _print(tab: Tab, job: Job, paper: geometry.Paper) -> bytes:
    extracted: dict[bands.Place, str] = {}
    for place, selector in bands.selectors(job.options).items():
        found = await tab.evaluate(_EXTRACT.replace("SELECTOR", json.dumps(selector)))
        if found is None:
            raise RenderError(f"{bands.OPTION[place]}.selector fits nothing in the document: {selector!r}")
        extracted[place] = found
    page_bands = bands.build(job.options, extracted)
    # Turned already where it lies: Chromium would turn the paper, which comes to the same.
    params: dict[str, Any] = {
        "paperWidth": paper.width / 72,
        "paperHeight": paper.height / 72,
        "marginTop": paper.top / 72,
        "marginRight": paper.right / 72,
        "marginBottom": paper.bottom / 72,
        "marginLeft": paper.left / 72,
        "scale": paper.scale,
        "printBackground": bool(job.options.get("printBackground")),
        "preferCSSPageSize": paper.css_size_wins,
        "pageRanges": (job.options.get("pageRanges") or "").replace(" ", ""),
        "displayHeaderFooter": bool(page_bands),
        # Without any text Chromium writes its own, the date and the address.
        "headerTemplate": page_bands.header or "<span></span>",
        "footerTemplate": page_bands.footer or "<span></span>",
    }
    job.waiting_for = "the printing"
    return base64.b64decode((await tab.call("Page.printToPDF", params))["data"])


async def _capture(tab: Tab, viewport: geometry.Viewport) -> bytes:
    size: Mapping[str, float] = (await tab.call("Page.getLayoutMetrics"))["cssContentSize"]
    width, height = viewport.width, max(viewport.height, round(size["height"]))
    if max(width, height) * viewport.ratio > MAX_SIDE:
        raise RenderError(f"The picture would be too large: {width} x {height} CSS pixels")
    reply = await tab.call(
        "Page.captureScreenshot",
        {
            "format": "png",
            "optimizeForSpeed": True,
            "captureBeyondViewport": True,
            "clip": {"x": 0, "y": 0, "width": width, "height": height, "scale": 1},
        },
    )
    return base64.b64decode(reply["data"])
