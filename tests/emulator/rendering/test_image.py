"""HTML to pictures: what every engine must do alike."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlayer_async.emulator.rendering import Renderer, RenderError

from .reading import image, make, make_image, pixel

pytestmark = pytest.mark.asyncio(loop_scope="session")

_RED, _WHITE = (255, 0, 0), (255, 255, 255)
_BOX = "<body style='margin:0'><div style='margin:10px;width:50px;height:30px;background:red'></div>"


async def test_a_picture_is_as_wide_as_the_viewport_and_as_high_as_the_document(renderer: Renderer) -> None:
    html = "<body style='margin:0'><div style='height:900px'></div>"
    assert (await make_image(renderer, html, viewPort={"width": 320, "height": 200})).size == (320, 900)
    assert (await make_image(renderer, "short", viewPort={"width": 320, "height": 200})).size == (320, 200)
    assert (await make_image(renderer, "short")).size == (800, 600)


async def test_the_viewport_decides_media_queries(renderer: Renderer) -> None:
    html = "<style>body{margin:0;background:white}@media (max-width:400px){body{background:red}}</style>"
    narrow = await make_image(renderer, html, viewPort={"width": 400, "height": 100})
    wide = await make_image(renderer, html, viewPort={"width": 401, "height": 100})
    assert (pixel(narrow.convert("RGB"), 5, 5), pixel(wide.convert("RGB"), 5, 5)) == (_RED, _WHITE)


async def test_the_device_scale_factor_multiplies_pixels(renderer: Renderer) -> None:
    picture = await make_image(renderer, _BOX, viewPort={"width": 100, "height": 60, "deviceScaleFactor": 2})
    assert picture.size == (200, 120)
    assert pixel(picture.convert("RGB"), 110, 70) == _RED


@pytest.mark.parametrize(
    ("kind", "form", "content_type"),
    [
        ("png", "PNG", "image/png"),
        ("jpg", "JPEG", "image/jpeg"),
        ("jpeg", "JPEG", "image/jpeg"),
        ("webp", "WEBP", "image/webp"),
    ],
)
async def test_the_picture_has_the_type_asked_for(renderer: Renderer, kind: str, form: str, content_type: str) -> None:
    rendering = await make(renderer, "html-image", _BOX, imageType=kind)
    assert (rendering.content_type, rendering.extension) == (content_type, kind)
    picture = image(rendering.content)
    assert picture.format == form
    red, green, blue = pixel(picture.convert("RGB"), 30, 25)
    assert red > 240
    assert green + blue < 20


async def test_a_type_that_cannot_be_made_is_an_error(renderer: Renderer) -> None:
    with pytest.raises(RenderError, match="imageType svg"):
        await make(renderer, "html-image", _BOX, imageType="svg")


async def test_quality_changes_the_size(renderer: Renderer) -> None:
    html = "".join(f"<p style='color:hsl({hue},80%,50%)'>words of many colours {hue}</p>" for hue in range(0, 360, 12))
    low, high = [await make(renderer, "html-image", html, imageType="jpg", quality=quality) for quality in (5, 95)]
    assert len(low.content) * 2 < len(high.content)


async def test_the_ground_is_white_unless_transparency_is_asked_for(renderer: Renderer) -> None:
    opaque = await make_image(renderer, _BOX)
    assert opaque.mode == "RGB"
    assert pixel(opaque, 2, 2) == _WHITE
    clear = await make_image(renderer, _BOX, transparent=True)
    assert pixel(clear, 2, 2) == (0, 0, 0, 0)
    assert pixel(clear, 30, 25) == (255, 0, 0, 255)


async def test_transparency_is_no_more_than_white_where_the_type_has_no_alpha(renderer: Renderer) -> None:
    picture = await make_image(renderer, _BOX, transparent=True, imageType="jpg")
    assert picture.mode == "RGB"
    assert min(pixel(picture, 2, 2)) > 250


@pytest.mark.parametrize("transparent", [False, True])
async def test_trim_cuts_the_margin_off(renderer: Renderer, transparent: bool) -> None:
    picture = await make_image(renderer, _BOX, trim=True, transparent=transparent)
    assert picture.size == (50, 30)


async def test_trim_leaves_an_empty_page_alone(renderer: Renderer) -> None:
    assert (await make_image(renderer, "", trim=True)).size == (800, 600)


async def test_pictures_are_taken_as_on_a_screen(renderer: Renderer) -> None:
    html = "<style>body{margin:0;background:white}@media print{body{background:red}}</style>"
    assert pixel((await make_image(renderer, html)).convert("RGB"), 5, 5) == _WHITE
    assert pixel((await make_image(renderer, html, emulateMediaType="print")).convert("RGB"), 5, 5) == _RED


async def test_a_preview_of_a_picture_keeps_its_shape(renderer: Renderer) -> None:
    rendering = await make(renderer, "html-image", _BOX, generatePreview={"width": 80, "quality": 50})
    assert rendering.preview is not None
    assert image(rendering.preview).size == (80, 60)


@pytest.mark.parametrize("options", [{"viewPort": {"width": 40000, "height": 10}}])
async def test_a_picture_that_is_too_large_is_an_error(renderer: Renderer, options: dict[str, Any]) -> None:
    with pytest.raises(RenderError, match="too large"):
        await make(renderer, "html-image", "x", **options)
