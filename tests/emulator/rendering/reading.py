"""Reading products back, and asking for them."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
from collections.abc import Callable
from typing import Any

import attrs
import PIL.Image
import pypdfium2

from cloudlayer_async.emulator.rendering import Renderer, Rendering, RenderSpec


@attrs.frozen
class Pdf:
    """What a test wants to know of a PDF."""

    sizes: list[tuple[int, int]]
    """In points, rounded."""
    texts: list[str]
    pictures: list[PIL.Image.Image]
    """A pixel a point."""
    places: list[tuple[float, float]]
    """Of each page's first character: from the left, and from the top."""

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def pdf(content: bytes) -> Pdf:
    result = Pdf([], [], [], [])
    with pypdfium2.PdfDocument(content) as document:
        for page in document:
            width, height = page.get_size()
            text = page.get_textpage()
            result.sizes.append((round(width), round(height)))
            result.texts.append(text.get_text_bounded())
            result.pictures.append(page.render(scale=1).to_pil().convert("RGB"))
            if text.count_chars():
                left, _, _, top = text.get_charbox(0, loose=True)
                result.places.append((left, height - top))
    return result


def image(content: bytes) -> PIL.Image.Image:
    picture = PIL.Image.open(io.BytesIO(content))
    picture.load()
    return picture


def pixel(picture: PIL.Image.Image, x: int, y: int) -> tuple[int, ...]:
    value = picture.getpixel((x, y))
    assert isinstance(value, tuple)
    return value


async def make(renderer: Renderer, conversion: str, html: str | None = None, **options: Any) -> Rendering:
    return await renderer.render(RenderSpec(conversion=conversion, html=html, options=options))


async def make_pdf(renderer: Renderer, html: str, **options: Any) -> Pdf:
    rendering = await make(renderer, "html-pdf", html, **options)
    assert (rendering.content_type, rendering.extension) == ("application/pdf", "pdf")
    return pdf(rendering.content)


async def make_image(renderer: Renderer, html: str, **options: Any) -> PIL.Image.Image:
    return image((await make(renderer, "html-image", html, **options)).content)


def descendants(pid: int) -> dict[int, str]:
    """The processes below one, with their command lines."""
    command = ["ps", "-A", "-ww", "-o", "pid=", "-o", "ppid=", "-o", "args="]
    listing = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = [line.split(None, 2) for line in listing.stdout.splitlines()]
    found: dict[int, str] = {}
    below = {pid}
    while below:
        children = {int(row[0]): row[-1] for row in rows if int(row[1]) in below and not row[-1].startswith("ps -A")}
        found |= children
        below = set(children)
    return found


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what another process does, which no event tells."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)
