"""The pieces of work a worker process does, by name. Each takes a `Call` and returns a frame."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import PIL.Image

from . import geometry, pdfs, pixels
from .frames import Frame
from .model import RenderError


@attrs.frozen
class Call:
    """What a piece of work gets."""

    arguments: Mapping[str, Any]
    blobs: tuple[bytes, ...]
    load: Callable[[str], tuple[bytes, str, str]]
    """Asks the parent for an address: content, content type, charset; all empty when refused."""


def prepare(fonts: str) -> None:
    """Set up what is shared by all pieces of work.

    Args:
        fonts: The directory of the font configuration.
    """
    try:
        import plutoprint
    except ImportError:
        # No wheel for this machine: Chromium draws, and the rest of the work is done here all the same.
        return
    plutoprint.plutobook_set_fontconfig_path(fonts)


def template(call: Call) -> Frame:
    """Fill a template in."""
    from .templates import render

    return Frame({}, (render(call.arguments["source"], call.arguments["data"]).encode(),))


def paint_pdf(call: Call) -> Frame:
    """Draw a PDF with the pip-only engine."""
    painter = _painter(call)
    content = painter.pdf(geometry.paper(call.arguments["options"], is_template=call.arguments["is_template"]))
    return Frame({"notes": painter.notes}, (content,))


def paint_image(call: Call) -> Frame:
    """Draw a picture with the pip-only engine."""
    options = call.arguments["options"]
    pixels.encoding(options.get("imageType"))
    painter = _painter(call)
    image = painter.image(geometry.viewport(options))
    return Frame({"notes": painter.notes}, (pixels.finish(image, options),))


def finish_image(call: Call) -> Frame:
    """Trim and encode a picture that another engine made."""
    with PIL.Image.open(io.BytesIO(call.blobs[0])) as image:
        return Frame({}, (pixels.finish(image, call.arguments["options"]),))


def preview(call: Call) -> Frame:
    """Make the preview of a product."""
    wanted = call.arguments["wanted"]
    if call.arguments["is_pdf"]:
        image = pdfs.first_page(call.blobs[0], max(wanted.get("width") or 0, wanted.get("height") or 0, 800))
    else:
        image = PIL.Image.open(io.BytesIO(call.blobs[0]))
    content, target = pixels.preview(image, wanted)
    return Frame({"content_type": target.content_type, "extension": target.extension}, (content,))


def merge(call: Call) -> Frame:
    """Put PDFs together."""
    return Frame({}, (pdfs.merge(zip(call.arguments["names"], call.blobs, strict=True)),))


def merge_images(call: Call) -> Frame:
    """Put pictures together, as the pages of a PDF."""
    return Frame({}, (pdfs.from_images(call.blobs),))


def docx_check(call: Call) -> Frame:
    """See to it that an upload is a DOCX."""
    from .office import check

    check(call.blobs[0])
    return Frame({})


def docx_html(call: Call) -> Frame:
    """Turn a DOCX into HTML."""
    from .office import to_html

    document, notes = to_html(call.blobs[0])
    return Frame({"notes": notes}, (document.encode(),))


def pdf_docx(call: Call) -> Frame:
    """Turn a PDF into a DOCX."""
    from .office import from_pdf

    document, notes = from_pdf(call.blobs[0])
    return Frame({"notes": notes}, (document,))


def _painter(call: Call) -> Any:
    try:
        from .paint import Page, Painter
    except ImportError as error:
        raise RenderError("plutoprint is not installed") from error
    is_picture = call.arguments["content_type"].startswith("image/")
    page = Page(
        html="" if is_picture else call.blobs[0].decode(),
        url=call.arguments["url"],
        content=call.blobs[0] if is_picture else None,
        content_type=call.arguments["content_type"],
    )
    return Painter(page, call.arguments["options"], call.load)


_ALL = (template, paint_pdf, paint_image, finish_image, preview, merge, merge_images, docx_check, docx_html, pdf_docx)
TASKS: Mapping[str, Callable[[Call], Frame]] = {task.__name__: task for task in _ALL}
