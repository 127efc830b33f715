"""Drawing with plutoprint: one HTML document to a PDF or a picture. Runs in a worker process."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs
import PIL.Image
import plutoprint

from . import audit, bands, pdfs
from .geometry import POINTS_PER_PIXEL, Paper, Viewport, page_indices
from .model import RenderError
from .notes import missing_glyphs

MAX_SIDE = 32767
"""Pixels; more is beyond the drawing library."""
MAX_PIXELS = 100_000_000

_NO_BACKGROUNDS = (
    "*,*::before,*::after{background-color:transparent!important;background-image:none!important}"
    "@page{background:none!important}"
)


@attrs.frozen(kw_only=True)
class Page:
    """What is to be drawn, wherever it came from."""

    html: str
    url: str = ""
    """Where it is from; the base of its relative addresses."""
    content: bytes | None = None
    """A picture to be shown alone; `html` is not used then."""
    content_type: str = "text/html"


Load = Callable[[str], "tuple[bytes, str, str]"]
"""Loads an address and gives content, content type and charset; all empty when it was refused."""


class Painter:
    """Draws one document.

    Args:
        page: The document.
        options: The request's options under their wire names.
        load: How its subresources are loaded.
    """

    def __init__(self, page: Page, options: Mapping[str, Any], load: Load) -> None:
        self._page = page
        self._options = options
        self._fetcher = _Fetcher(load)
        self.notes: list[str] = []

    def pdf(self, paper: Paper) -> bytes:
        """Draw a PDF.

        Raises:
            RenderError: The options ask for something impossible, or nothing can be drawn.
        """
        self.notes += audit.option_notes(self._options, is_pdf=True)
        source, extracted = bands.extract(self._page.html, bands.selectors(self._options))
        page_bands = bands.build(self._options, extracted)
        book = self._book(
            source,
            plutoprint.PageSize(paper.width / paper.scale, paper.height / paper.scale),
            plutoprint.PageMargins(
                *(side / paper.scale for side in (paper.top, paper.right, paper.bottom, paper.left))
            ),
            plutoprint.MEDIA_TYPE_SCREEN if self._media() == "screen" else plutoprint.MEDIA_TYPE_PRINT,
            self._page_style(paper),
        )
        wanted = page_indices(self._options.get("pageRanges"), book.get_page_count())
        content = self._write(book, wanted, paper.scale, page_bands)
        self._note_missing_glyphs(source, content)
        return content

    def image(self, viewport: Viewport) -> PIL.Image.Image:
        """Draw a picture of the whole document, at least as large as the viewport, transparent where nothing is.

        Raises:
            RenderError: It would be too large, or nothing can be drawn.
        """
        self.notes += audit.option_notes(self._options, is_pdf=False)
        book = self._book(
            self._page.html,
            plutoprint.PageSize(viewport.width * POINTS_PER_PIXEL, viewport.height * POINTS_PER_PIXEL),
            plutoprint.PAGE_MARGINS_NONE,
            plutoprint.MEDIA_TYPE_PRINT if self._media() == "print" else plutoprint.MEDIA_TYPE_SCREEN,
            # A background is drawn no further than the document reaches.
            "html{min-height:100vh}",
        )
        width = math.ceil(viewport.width * viewport.ratio)
        height = math.ceil(max(viewport.height, book.get_document_height()) * viewport.ratio)
        if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
            raise RenderError(f"The picture would be too large: {width} x {height} pixels")
        canvas = plutoprint.ImageCanvas(width, height)
        canvas.scale(viewport.ratio, viewport.ratio)
        book.render_document(canvas)
        canvas.flush()
        image = PIL.Image.frombuffer(
            "RGBA", (width, height), bytes(canvas.get_data()), "raw", "BGRa", canvas.get_stride(), 1
        )
        if not audit.text_of(self._page.html).isascii():
            stream = io.BytesIO()
            book.write_to_pdf_stream(stream)
            self._note_missing_glyphs(self._page.html, stream.getvalue())
        return image

    def _media(self) -> object:
        return self._options.get("emulateMediaType")

    def _page_style(self, paper: Paper) -> str:
        style = ""
        if not paper.css_size_wins:
            size = f"{paper.width / paper.scale}pt {paper.height / paper.scale}pt"
            style += f"@page{{size:{size}!important}}"
        if not self._options.get("printBackground"):
            style += _NO_BACKGROUNDS
        return style

    def _book(
        self,
        source: str,
        size: plutoprint.PageSize,
        margins: plutoprint.PageMargins,
        media: plutoprint.MediaType,
        style: str,
    ) -> plutoprint.Book:
        book = plutoprint.Book(size, margins, media)
        book.custom_resource_fetcher = self._fetcher
        try:
            if self._page.content is not None:
                book.load_image(self._page.content, self._page.content_type, user_style=style, base_url=self._page.url)
            else:
                self.notes += audit.document_notes(source)
                book.load_html(source, user_style=style, base_url=self._page.url)
            book.get_page_count()
        except plutoprint.Error as error:
            raise RenderError(f"The document cannot be drawn: {error}") from error
        for sheet in self._fetcher.sheets:
            self.notes += audit.style_notes(sheet)
        return book

    def _write(self, book: plutoprint.Book, wanted: Sequence[int], scale: float, page_bands: bands.Bands) -> bytes:
        sizes = [book.get_page_size_at(index) for index in wanted]
        outer = [(size.width * scale, size.height * scale) for size in sizes]
        margins = self._overlay(book, wanted, scale, page_bands)
        stream = io.BytesIO()
        canvas = plutoprint.PDFCanvas.create_for_stream(stream, plutoprint.PageSize(*outer[0]))
        for key in (
            plutoprint.PDF_METADATA_TITLE,
            plutoprint.PDF_METADATA_AUTHOR,
            plutoprint.PDF_METADATA_SUBJECT,
            plutoprint.PDF_METADATA_KEYWORDS,
        ):
            if value := book.get_metadata(key):
                canvas.set_metadata(key, value)
        for index, (width, height) in zip(wanted, outer, strict=True):
            canvas.set_size(plutoprint.PageSize(width, height))
            _draw(book, canvas, index, scale)
            if margins is not None:
                _draw(margins, canvas, index, 1)
            canvas.show_page()
        canvas.finish()
        return stream.getvalue()

    def _overlay(
        self, book: plutoprint.Book, wanted: Sequence[int], scale: float, page_bands: bands.Bands
    ) -> plutoprint.Book | None:
        if not page_bands:
            return None
        sizes = [book.get_page_size_at(index) for index in range(book.get_page_count())]
        outer = [(size.width * scale, size.height * scale) for size in sizes]
        source = bands.overlay(
            page_bands,
            outer,
            title=book.get_metadata(plutoprint.PDF_METADATA_TITLE),
            url=self._page.url,
            date=_date(datetime.now().astimezone()),
        )
        # One size for all: each section is cut to its own page, and drawn from the same top left corner.
        largest = plutoprint.PageSize(max(width for width, _ in outer), max(height for _, height in outer))
        overlay = plutoprint.Book(largest, plutoprint.PAGE_MARGINS_NONE, plutoprint.MEDIA_TYPE_PRINT)
        overlay.custom_resource_fetcher = self._fetcher
        overlay.load_html(source, user_style="@page{margin:0!important}", base_url=self._page.url)
        return overlay

    def _note_missing_glyphs(self, source: str, content: bytes) -> None:
        if audit.text_of(source).isascii():
            return
        seen = pdfs.text(content)
        if pdfs.REPLACEMENT not in seen:
            return
        missing = sorted({c for c in audit.text_of(source) if c not in seen and c.isprintable() and c != " "})
        if missing:
            self.notes.append(missing_glyphs(missing))


class _Fetcher(plutoprint.ResourceFetcher):
    def __init__(self, load: Load) -> None:
        super().__init__()
        self._load = load
        self.sheets: list[str] = []

    def fetch_url(self, url: str) -> plutoprint.ResourceData:
        content, content_type, charset = self._load(url)
        if content_type == "text/css":
            self.sheets.append(content.decode(charset or "utf-8", "replace"))
        return plutoprint.ResourceData(content, content_type or "text/plain", charset)


def _draw(book: plutoprint.Book, canvas: plutoprint.PDFCanvas, index: int, scale: float) -> None:
    canvas.save_state()
    # Pages are drawn in pixels, while the canvas is measured in points.
    canvas.scale(scale * POINTS_PER_PIXEL, scale * POINTS_PER_PIXEL)
    book.render_page(canvas, index)
    canvas.restore_state()


def _date(now: datetime) -> str:
    """Write a time as Chromium does in its headers."""
    hour = now.hour % 12 or 12
    return f"{now.month}/{now.day}/{now:%y}, {hour}:{now.minute:02} {'AM' if now.hour < 12 else 'PM'}"
