"""PDF files made elsewhere: merged, looked at, turned into pictures. Runs in a worker process."""

from __future__ import annotations

import io
from collections.abc import Iterable

import PIL.Image
import pypdfium2

from .model import RenderError

REPLACEMENT = "\ufffd"
"""What a reader of a PDF gets for a glyph that stands for no character: the box of a font without the letter."""


def merge(documents: Iterable[tuple[str, bytes]]) -> bytes:
    """Put documents one behind the other.

    Args:
        documents: Names, for errors, and contents.

    Raises:
        RenderError: One is no PDF, or needs a password.
    """
    merged = pypdfium2.PdfDocument.new()
    try:
        for name, content in documents:
            with open_pdf(name, content) as document:
                merged.import_pages(document)
        stream = io.BytesIO()
        merged.save(stream)
        return stream.getvalue()
    finally:
        merged.close()


def open_pdf(name: str, content: bytes) -> pypdfium2.PdfDocument:
    """Open a PDF.

    Raises:
        RenderError: It is none, or needs a password.
    """
    try:
        return pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        raise RenderError(f"{name} cannot be opened as a PDF: {error}") from error


def text(content: bytes) -> str:
    """Return the text of all pages."""
    with pypdfium2.PdfDocument(content) as document:
        pages = []
        for page in document:
            pages.append(page.get_textpage().get_text_bounded())
            page.close()
        return "\n".join(pages)


def first_page(content: bytes, width: int) -> PIL.Image.Image:
    """Draw the first page, about that many pixels wide."""
    with pypdfium2.PdfDocument(content) as document:
        page = document[0]
        image: PIL.Image.Image = page.render(scale=width / page.get_width()).to_pil()
        return image


def from_images(images: Iterable[bytes]) -> bytes:
    """Make a PDF of pictures, a page each, a pixel being 1/96 inch."""
    first, *rest = [PIL.Image.open(io.BytesIO(image)).convert("RGB") for image in images]
    stream = io.BytesIO()
    first.save(stream, "PDF", save_all=True, append_images=rest, resolution=96)
    return stream.getvalue()
