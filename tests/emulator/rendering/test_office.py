"""Word documents, with documents made and read back by python-docx."""

from __future__ import annotations

import io
import os
from pathlib import Path

import docx
import PIL.Image
import pytest

from cloudlayer_async.emulator.rendering import Renderer, RenderError, Rendering, RenderSpec

from .reading import descendants, make, pdf

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def no_office(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A path for commands that has none."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.fixture
def document() -> bytes:
    word = docx.Document()
    word.core_properties.title = "A <title>"
    word.add_heading("Heading one", 1)
    word.add_paragraph("First paragraph, with ünïcode & signs.")
    word.add_paragraph("An item", style="List Bullet")
    table = word.add_table(1, 2)
    table.cell(0, 0).text, table.cell(0, 1).text = "left", "right"
    picture = io.BytesIO()
    PIL.Image.new("RGB", (40, 20), "red").save(picture, "PNG")
    word.add_picture(picture)
    stream = io.BytesIO()
    word.save(stream)
    return stream.getvalue()


async def convert(renderer: Renderer, conversion: str, upload: bytes, **options: object) -> Rendering:
    return await renderer.render(RenderSpec(conversion=conversion, upload=upload, options=options))


async def test_docx_to_html_keeps_structure(pluto: Renderer, document: bytes) -> None:
    rendering = await convert(pluto, "docx-html", document)
    html = rendering.content.decode()
    assert (rendering.content_type, rendering.extension) == ("text/html; charset=utf-8", "html")
    assert "<title>A &lt;title&gt;</title>" in html
    for part in (
        "<h1>Heading one</h1>",
        "ünïcode &amp; signs",
        "<li>An item</li>",
        "<td><p>right</p></td>",
        "data:image/png",
    ):
        assert part in html


@pytest.mark.usefixtures("no_office")
async def test_docx_to_pdf_without_an_office_says_what_is_lost(renderer: Renderer, document: bytes) -> None:
    rendering = await convert(renderer, "docx-pdf", document, generatePreview=True)
    assert "Heading one First paragraph, with ünïcode & signs." in pdf(rendering.content).text
    assert rendering.preview is not None
    assert rendering.engine.startswith("mammoth and ")
    assert any("Without LibreOffice" in note for note in rendering.notes)


async def test_docx_to_pdf_uses_an_office_that_is_there(pluto: Renderer, no_office: Path, document: bytes) -> None:
    made = await make(pluto, "html-pdf", "from the office")
    (no_office / "made.pdf").write_bytes(made.content)
    command = no_office / "soffice"
    command.write_text(
        f'#!/bin/sh\nwhile [ "$1" != --outdir ]; do shift; done\n/bin/cp {no_office}/made.pdf "$2"/document.pdf\n'
    )
    command.chmod(0o755)
    rendering = await convert(pluto, "docx-pdf", document)
    assert pdf(rendering.content).text == "from the office"
    assert (rendering.engine, rendering.notes) == ("LibreOffice", ())
    with pytest.raises(RenderError, match="cannot be read as a DOCX"):
        await convert(pluto, "docx-pdf", b"PK\x03\x04 no archive")


async def test_an_office_that_hangs_is_ended(
    pluto: Renderer, no_office: Path, document: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = no_office / "soffice"
    command.write_text("#!/bin/sh\nexec /bin/sleep 613\n")
    command.chmod(0o755)
    with pytest.raises(RenderError, match="Timeout of 1000 ms"):
        await convert(pluto, "docx-pdf", document, timeout=1000)
    monkeypatch.undo()  # `ps` is to be found
    below = descendants(os.getpid()).values()
    assert not [process for process in below if str(command) in process or "sleep 613" in process]


async def test_pdf_to_docx_keeps_headings_paragraphs_and_pictures(pluto: Renderer) -> None:
    picture = "<svg width=10 height=10></svg><img width=50 src='data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC'>"  # noqa: E501
    html = (
        f"<h1>The heading</h1><p>{'Some words to fill lines. ' * 20}</p><p>A <i>second</i> one.</p>{picture}"
        "<p style='break-before:page'>On page two, ümlauts.</p>"
    )
    made = await make(pluto, "html-pdf", html, format="a4", landscape=True)
    rendering = await convert(pluto, "pdf-docx", made.content)
    assert rendering.extension == "docx"
    word = docx.Document(io.BytesIO(rendering.content))
    paragraphs = [
        (paragraph.style.name if paragraph.style else None, paragraph.text)
        for paragraph in word.paragraphs
        if paragraph.text
    ]
    assert paragraphs[0] == ("Heading 1", "The heading")
    assert [text for _, text in paragraphs[1:]] == [
        ("Some words to fill lines. " * 20).strip(),
        "A second one.",
        "On page two, ümlauts.",
    ]
    assert len(word.inline_shapes) == 1
    assert [round((section.page_width or 0) / 12700) for section in word.sections] == [842, 842]
    assert any("tables" in note for note in rendering.notes)


async def test_a_pdf_without_text_says_so(pluto: Renderer) -> None:
    made = await make(pluto, "html-pdf", "")
    rendering = await convert(pluto, "pdf-docx", made.content)
    assert any("no text" in note for note in rendering.notes)


@pytest.mark.parametrize("conversion", ["docx-pdf", "docx-html", "pdf-docx"])
@pytest.mark.usefixtures("no_office")
async def test_a_broken_upload_is_an_error(pluto: Renderer, conversion: str) -> None:
    with pytest.raises(RenderError, match=r"cannot be (read|opened) as a"):
        await convert(pluto, conversion, b"PK\x03\x04%PDF- neither")


async def test_an_unknown_conversion_is_an_error(pluto: Renderer) -> None:
    with pytest.raises(RenderError, match="no engine for image-pdf"):
        await convert(pluto, "image-pdf", b"")


@pytest.mark.parametrize("style", ["", "letter-spacing: .05em", "text-align: justify; width: 200px"])
async def test_pdf_to_docx_keeps_kerned_words_and_ligatures_whole(renderer: Renderer, style: str) -> None:
    html = (
        f"<body style='{style}'><h1>Tuesday Total</h1>"
        "<p>Para <b>graph</b> with several ordinary words, fine office. Tu Te</p>"
        "<table><tr><td>Left</td><td>Right</td></table>"
    )
    made = await make(renderer, "html-pdf", html, format="a4")
    rendering = await convert(renderer, "pdf-docx", made.content)
    text = [paragraph.text for paragraph in docx.Document(io.BytesIO(rendering.content)).paragraphs if paragraph.text]
    assert text == ["Tuesday Total", "Para graph with several ordinary words, fine office. Tu Te", "Left Right"]
