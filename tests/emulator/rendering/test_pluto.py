"""What the pip-only engine cannot do, and says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from cloudlayer_async.emulator.rendering import Renderer, fonts

from .conftest import Site
from .reading import make, make_pdf

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize(
    ("html", "words"),
    [
        ("<script>document.write('x')</script>", "runs none"),
        ("<body onload='go()'>", "runs none"),
        ("<div style='display: grid'>", "CSS grid"),
        ("<style>p{display:inline-grid}</style>", "CSS grid"),
        ("<style>p{background:linear-gradient(red,blue)}</style>", "CSS gradients"),
        ("<style>p{box-shadow:0 0 1px red}</style>", "box-shadow"),
        ("<style>p{filter:blur(1px)}</style>", "CSS filters"),
        ("<style>@supports(display:flex){p{color:red}}</style>", "@supports"),
        ("<style>@keyframes a{from{color:red}}</style>", "CSS animations"),
        ("<style>p{-webkit-print-color-adjust: exact}</style>", "print-color-adjust"),
        ("<iframe srcdoc=x></iframe>", "frames"),
        ("<canvas></canvas>", "canvas"),
        ("<video src=data:,x></video>", "video"),
    ],
)
async def test_what_a_document_uses_in_vain_is_noted(pluto: Renderer, html: str, words: str) -> None:
    for conversion in ("html-pdf", "html-image"):
        rendering = await make(pluto, conversion, html)
        assert [note for note in rendering.notes if words in note], rendering.notes


async def test_what_a_loaded_style_sheet_uses_in_vain_is_noted(pluto: Renderer, site: Site) -> None:
    site.answers["/style.css"] = lambda _: web.Response(text="p{display:grid}", content_type="text/css")
    rendering = await make(pluto, "html-pdf", f"<link rel=stylesheet href={site.origin}/style.css>")
    assert [note for note in rendering.notes if "CSS grid" in note]


async def test_what_only_looks_like_it_is_not_noted(pluto: Renderer) -> None:
    html = """<style>p{box-shadow:none;filter:none}</style><script type='application/ld+json'>{}</script>
      <p>We write display:grid and linear-gradient( in our manual.</p>"""
    assert (await make(pluto, "html-pdf", html)).notes == ()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"waitUntil": "networkidle0"}, "waitUntil"),
        ({"waitForSelector": {"selector": "#x"}}, "waitForSelector"),
        ({"waitForFrame": True}, "waitForFrame"),
        ({"autoScroll": True}, "autoScroll"),
        ({"timeZone": "Europe/Rome"}, "timeZone"),
        ({"viewPort": {"width": 100, "height": 100}}, "viewPort"),
        ({"viewPort": {"width": 100, "height": 100, "isMobile": True}}, "viewPort.isMobile"),
    ],
)
async def test_options_without_effect_are_noted(pluto: Renderer, options: dict[str, Any], words: str) -> None:
    rendering = await make(pluto, "html-pdf", "text", **options)
    assert [note for note in rendering.notes if note.startswith("Without effect") and words in note]


async def test_missing_characters_are_named_in_pictures_too(pluto: Renderer) -> None:
    rendering = await make(pluto, "html-image", "text \U0001e910")
    assert [note for note in rendering.notes if "U+1E910" in note]


async def test_a_machine_without_fonts_gives_text(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fonts, "_UNIX", ())
    monkeypatch.setattr(fonts, "_SYSTEM", {})
    renderer = Renderer(engine="plutoprint", workers=1)
    await renderer.start()
    try:
        html = "".join(f"<p style='font-family:{family}'>Text, τεxτ, текст</p>" for family in ("x", "serif", "Arial"))
        document = await make_pdf(renderer, html)
    finally:
        await renderer.aclose()
    assert document.text.count("Text, τεxτ, текст") == 3
    dark = sum(1 for value in document.pictures[0].convert("L").tobytes() if value < 100)
    assert dark > 200


async def test_the_packaged_fonts_are_found() -> None:
    assert [Path(folder).is_dir() for folder in fonts.packaged_directories()] == [True, True]
