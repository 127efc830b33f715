"""Finishing of images: background, trimming, encoding, previews. Runs in a worker process."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import attrs
import PIL.Image
import PIL.ImageChops
from PIL.Image import Image

from .model import RenderError

# Our own limits apply; Pillow's guard is for files from strangers.
PIL.Image.MAX_IMAGE_PIXELS = None

_DEFAULT_QUALITY = 80
_WEBP_SIDE = 16383


@attrs.frozen
class Encoding:
    """How an image type is called by the service, by Pillow and by HTTP."""

    pillow: str
    content_type: str
    extension: str
    has_alpha: bool


_ENCODINGS: Mapping[str, Encoding] = {
    "png": Encoding("PNG", "image/png", "png", True),
    "jpg": Encoding("JPEG", "image/jpeg", "jpg", False),
    "jpeg": Encoding("JPEG", "image/jpeg", "jpeg", False),
    "webp": Encoding("WEBP", "image/webp", "webp", True),
}


def encoding(image_type: object) -> Encoding:
    """Return what is known of an image type.

    Raises:
        RenderError: It cannot be made.
    """
    found = _ENCODINGS.get(str(image_type or "png").lower())
    if found is None:
        raise RenderError(f"imageType {image_type} cannot be made here; png, jpg, jpeg and webp can")
    return found


def finish(image: Image, options: Mapping[str, Any]) -> bytes:
    """Trim and encode an image as its options say.

    Args:
        image: The picture; transparent where nothing was drawn, or opaque.
        options: ``imageType``, ``quality``, ``transparent``, ``trim`` as in the request.

    Raises:
        RenderError: The type cannot be made, or the picture is too large for it.
    """
    target = encoding(options.get("imageType"))
    if not (options.get("transparent") and target.has_alpha):
        image = flattened(image)
    if options.get("trim"):
        image = trimmed(image)
    return encode(image, target, options.get("quality"))


def flattened(image: Image) -> Image:
    """Lay an image on white paper."""
    if image.mode == "RGB":
        return image
    image = image.convert("RGBA")
    paper = PIL.Image.new("RGB", image.size, "white")
    paper.paste(image, mask=image.getchannel("A"))
    return paper


def trimmed(image: Image) -> Image:
    """Cut the margin off that has one colour, that of the top left pixel; a picture of one colour stays as it is."""
    ground = PIL.Image.new(image.mode, image.size, image.getpixel((0, 0)))
    box = PIL.ImageChops.difference(image, ground).getbbox(alpha_only=False)
    return image.crop(box) if box is not None else image


def encode(image: Image, target: Encoding, quality: object = None) -> bytes:
    """Write an image in a format.

    Args:
        image: The picture.
        target: The format.
        quality: 0 to 100, 80 when None; PNG knows none.

    Raises:
        RenderError: The picture is too large for the format.
    """
    if target.pillow == "WEBP" and max(image.size) > _WEBP_SIDE:
        raise RenderError(f"A WebP image cannot have more than {_WEBP_SIDE} pixels a side; this one is {image.size}")
    parameters: dict[str, Any] = {}
    if target.pillow != "PNG":
        parameters["quality"] = quality if isinstance(quality, int) else _DEFAULT_QUALITY
    if not target.has_alpha:
        image = flattened(image)
    stream = io.BytesIO()
    image.save(stream, target.pillow, **parameters)
    return stream.getvalue()


def preview(image: Image, wanted: Mapping[str, Any]) -> tuple[bytes, Encoding]:
    """Make a preview.

    Args:
        image: The product, or its first page.
        wanted: ``width height type quality maintainAspectRatio`` as in the request; all have defaults (200 pixels
            wide, webp, 80, true).

    Raises:
        RenderError: The type cannot be made.
    """
    target = encoding(wanted.get("type") or "webp")
    width, height = wanted.get("width"), wanted.get("height")
    if not width and not height:
        width = _PREVIEW_WIDTH
    if wanted.get("maintainAspectRatio", True):
        factor = min(side / full for side, full in zip((width, height), image.size, strict=True) if side)
        size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    else:
        size = (width or image.width, height or image.height)
    small = image.convert("RGBA" if "A" in image.getbands() else "RGB").resize(size, PIL.Image.Resampling.LANCZOS)
    return encode(small, target, wanted.get("quality")), target


_PREVIEW_WIDTH = 200
