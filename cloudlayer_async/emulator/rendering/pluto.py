"""The pip-only engine: plutoprint, in the worker processes."""

from __future__ import annotations

import asyncio
import html
import re
from importlib.metadata import version
from importlib.util import find_spec

from .fetching import Fetched
from .job import DOCUMENT_URL, Job, Page
from .model import RenderError

_META_CHARSET = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([a-z0-9_-]+)", re.IGNORECASE)
_MARKUP = frozenset({"text/html", "application/xhtml+xml", "application/xml", "text/xml"})


def is_installed() -> bool:
    """Whether the engine's package is there; some machines have no wheel of it."""
    return find_spec("plutoprint") is not None


class PlutoEngine:
    """Draws without a browser, hence without scripts."""

    def __init__(self) -> None:
        self.name = "plutoprint"

    async def start(self) -> None:
        """Find the package.

        Raises:
            RenderError: It is not installed.
        """
        if not is_installed():
            raise RenderError(NOT_INSTALLED)
        self.name = f"plutoprint {version('plutoprint')}"

    async def aclose(self) -> None:
        """Nothing to end: the work is done in the renderer's workers."""

    async def open(self, job: Job, url: str) -> Page:
        """Load a page.

        Raises:
            RenderError: It may not or can not be loaded, or is nothing that can be drawn.
        """
        fetched = await job.load_document(url)
        if fetched.status >= 400:
            job.notes.add(f"The page answered {fetched.status}; its error page is drawn")
        return page_of(fetched)

    async def pdf(self, job: Job, page: Page) -> bytes:
        """Draw a PDF.

        Raises:
            RenderError: It cannot be done.
        """
        return await self._paint("paint_pdf", job, page)

    async def image(self, job: Job, page: Page) -> bytes:
        """Draw a picture.

        Raises:
            RenderError: It cannot be done.
        """
        return await self._paint("paint_image", job, page)

    async def _paint(self, task: str, job: Job, page: Page) -> bytes:
        # Nothing changes while it waits, but the conversion takes as long, and times out, as with a browser.
        await asyncio.sleep((job.options.get("delay") or 0) / 1000)
        arguments = {
            "options": job.options,
            "is_template": job.is_template,
            "url": page.url or DOCUMENT_URL,
            "content_type": page.content_type,
        }
        frame = await job.work(task, arguments, (page.content or page.html.encode(),))
        return frame.blobs[0]


NOT_INSTALLED = (
    "There is no engine: plutoprint is not installed (it has no wheel for some machines) and no Chromium was found. "
    "Install one of them, for instance Debian's chromium-headless-shell, or name one by chromium_path or "
    "CLOUDLAYER_EMULATOR_CHROMIUM"
)


def page_of(fetched: Fetched) -> Page:
    """Make a page of what an address answered.

    Raises:
        RenderError: It is neither markup, text nor a picture.
    """
    kind = fetched.content_type
    if kind.startswith("image/"):
        return Page(html="", url=fetched.url, content=fetched.content, content_type=kind)
    if kind in _MARKUP:
        return Page(html=_decoded(fetched), url=fetched.url)
    if kind.startswith("text/") or kind == "application/json":
        return Page(html=f"<pre>{html.escape(_decoded(fetched))}</pre>", url=fetched.url)
    raise RenderError(f"The address answers with {kind}, which this engine cannot draw")


def _decoded(fetched: Fetched) -> str:
    match = _META_CHARSET.search(fetched.content[:2048])
    named = [fetched.charset, match[1].decode() if match else None, "utf-8-sig"]
    for charset in named:
        if charset:
            try:
                return fetched.content.decode(charset)
            except (LookupError, UnicodeDecodeError):
                continue
    return fetched.content.decode("windows-1252", "replace")
