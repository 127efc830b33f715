"""HTML to PDF: what every engine must do alike."""

from __future__ import annotations

from typing import Any

import pypdfium2
import pytest

from cloudlayer_async.emulator.rendering import Renderer, RenderError, RenderSpec

from .reading import image, make, make_pdf, pdf, pixel

pytestmark = pytest.mark.asyncio(loop_scope="session")

_THREE_PAGES = "".join(f"<p style='break-before:page;margin:0'>page {word}</p>" for word in ("one", "two", "three"))
_RED = (255, 0, 0)
_WHITE = (255, 255, 255)


def near(actual: tuple[int, int], expected: tuple[int, int]) -> bool:
    return all(abs(left - right) <= 1 for left, right in zip(actual, expected, strict=True))


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({}, (612, 792)),
        ({"format": "a4"}, (595, 842)),
        ({"format": "a5", "landscape": True}, (420, 595)[::-1]),
        ({"width": "100mm", "height": "5in"}, (283, 360)),
        ({"width": 400, "height": 300}, (300, 225)),
    ],
)
async def test_the_page_has_the_size_asked_for(
    renderer: Renderer, options: dict[str, Any], size: tuple[int, int]
) -> None:
    document = await make_pdf(renderer, "<p>text", **options)
    assert near(document.sizes[0], size)
    assert document.text == "text"


async def test_the_default_margins_are_the_services(renderer: Renderer) -> None:
    document = await make_pdf(renderer, "<body style='margin:0'><p style='margin:0;line-height:1'>text")
    assert document.places[0] == pytest.approx((28.8, 28.8), abs=8)


async def test_a_margin_moves_the_text(renderer: Renderer) -> None:
    document = await make_pdf(
        renderer, "<body style='margin:0'><p style='margin:0;line-height:1'>text", margin={"left": "3in", "top": "2in"}
    )
    assert document.places[0] == pytest.approx((216, 144), abs=8)


async def test_a_templates_margin_is_none_by_default(renderer: Renderer) -> None:
    spec = RenderSpec(conversion="template-pdf", template="<body style='margin:0'>{{ word }}", data={"word": "text"})
    assert pdf((await renderer.render(spec)).content).places[0] == pytest.approx((0, 0), abs=8)


@pytest.mark.parametrize("rule", ["size: 4in 5in", "size: 4in 5in !important", "size: a6"])
async def test_the_documents_page_size_does_not_win(renderer: Renderer, rule: str) -> None:
    document = await make_pdf(renderer, f"<style>@page{{{rule}}}</style>text", format="a4")
    assert near(document.sizes[0], (595, 842))


async def test_the_documents_page_size_wins_when_preferred(renderer: Renderer) -> None:
    document = await make_pdf(renderer, "<style>@page{size: 4in 5in}</style>text", format="a4", preferCSSPageSize=True)
    assert near(document.sizes[0], (288, 360))


async def test_scale_makes_everything_larger_but_the_page(renderer: Renderer) -> None:
    html = "<body style='margin:0'><div style='background:red;width:100px;height:100px'></div>"
    options: dict[str, Any] = {"printBackground": True, "margin": dict.fromkeys(("top", "left", "right", "bottom"), 0)}
    plain = await make_pdf(renderer, html, **options)
    double = await make_pdf(renderer, html, scale=2, **options)
    assert plain.sizes == double.sizes
    assert [pixel(document.pictures[0], 100, 100) for document in (plain, double)] == [_WHITE, _RED]


@pytest.mark.parametrize(
    ("ranges", "words"), [("2", ["two"]), ("2-3", ["two", "three"]), ("1, 3", ["one", "three"]), ("3-7", ["three"])]
)
async def test_page_ranges_are_cut_out(renderer: Renderer, ranges: str, words: list[str]) -> None:
    document = await make_pdf(renderer, _THREE_PAGES, pageRanges=ranges)
    assert [text.split()[-1] for text in document.texts] == words


async def test_a_page_range_beyond_the_end_is_an_error(renderer: Renderer) -> None:
    with pytest.raises(RenderError, match="Page range exceeds page count"):
        await make(renderer, "html-pdf", _THREE_PAGES, pageRanges="4")


@pytest.mark.parametrize(("option", "expected"), [({}, _WHITE), ({"printBackground": True}, _RED)])
async def test_backgrounds_are_printed_when_asked_for(
    renderer: Renderer, option: dict[str, Any], expected: tuple[int, int, int]
) -> None:
    html = "<div style='background:red;width:500px;height:500px'></div>"
    document = await make_pdf(renderer, html, **option)
    assert pixel(document.pictures[0], 200, 200) == expected


@pytest.mark.parametrize(("media", "word"), [(None, "printed"), ("print", "printed"), ("screen", "shown")])
async def test_the_media_type_is_print_unless_told(renderer: Renderer, media: str | None, word: str) -> None:
    html = (
        "<style>@media screen{.p{display:none}}@media print{.s{display:none}}</style>"
        "<p class=p>printed</p><p class=s>shown</p>"
    )
    options = {} if media is None else {"emulateMediaType": media}
    assert (await make_pdf(renderer, html, **options)).text == word
    assert (await make_pdf(renderer, html, emulateMediaType=None)).text == "printed"


async def test_header_and_footer_count_pages_and_name_the_title(renderer: Renderer) -> None:
    document = await make_pdf(
        renderer,
        f"<title>Report</title>{_THREE_PAGES}",
        margin={"top": "1in", "bottom": "1in"},
        headerTemplate={"template": "<b class=title></b> <i class=date></i>", "style": {"font-size": "12px"}},
        footerTemplate={"templateString": "<span class=pageNumber></span> of <span class=totalPages></span>"},
    )
    assert ["".join(text.split()[-3:]) for text in document.texts] == ["1of3", "2of3", "3of3"]
    assert all("Report" in text and "/" in text for text in document.texts)


async def test_a_header_is_at_the_top_and_a_footer_at_the_bottom(renderer: Renderer) -> None:
    bar = "<div style='-webkit-print-color-adjust:exact;background:red;height:30px;width:100%'>x</div>"
    document = await make_pdf(
        renderer,
        "",
        margin={"top": "1in", "bottom": "1in"},
        headerTemplate={"template": bar},
        footerTemplate={"template": bar},
    )
    column = [pixel(document.pictures[0], 300, y) == _RED for y in range(792)]
    assert 10 < sum(column[:72]) < 30
    assert 10 < sum(column[-72:]) < 30
    assert not any(column[72:-72])


async def test_a_header_is_extracted_by_its_selector(renderer: Renderer) -> None:
    html = f"<style>#top{{text-transform:uppercase}}</style><div id=top>taken</div>{_THREE_PAGES}"
    document = await make_pdf(
        renderer, html, margin={"top": "1in"}, headerTemplate={"method": "extract", "selector": "#top"}
    )
    assert [text.count("TAKEN") for text in document.texts] == [1] * len(document.texts)
    assert document.text.count("TAKEN") == len(document.texts)


@pytest.mark.parametrize(
    ("band", "message"),
    [
        ({"method": "extract"}, "needs a selector"),
        ({"method": "extract", "selector": "#none"}, "fits nothing"),
        ({"template": "x", "margin": {"top": "1 mile"}}, "headerTemplate.margin.top"),
    ],
)
async def test_a_band_that_cannot_be_made_is_an_error(renderer: Renderer, band: dict[str, Any], message: str) -> None:
    with pytest.raises(RenderError, match=message):
        await make(renderer, "html-pdf", "text", headerTemplate=band)


async def test_links_and_the_title_are_in_the_pdf(renderer: Renderer) -> None:
    rendering = await make(renderer, "html-pdf", "<title>Report</title><a href='https://example.com/x'>link</a>")
    with pypdfium2.PdfDocument(rendering.content) as document:
        assert pypdfium2.raw.FPDFPage_GetAnnotCount(document[0]) == 1
        assert document.get_metadata_value("Title") == "Report"


async def test_a_preview_is_made_of_the_first_page(renderer: Renderer) -> None:
    html = "<body style='background:red'><p style='break-before:page'>two"
    rendering = await make(renderer, "html-pdf", html, printBackground=True, generatePreview=True)
    assert (rendering.preview_content_type, rendering.preview_extension) == ("image/webp", "webp")
    assert rendering.preview is not None
    picture = image(rendering.preview).convert("RGB")
    assert picture.size == (200, 259)
    red, green, blue = pixel(picture, 100, 100)
    assert red > 230
    assert green + blue < 40


@pytest.mark.parametrize(
    ("wanted", "kind", "size"),
    [
        ({"width": 100, "type": "png"}, "PNG", (100, 130)),
        ({"height": 100, "type": "jpg", "quality": 10}, "JPEG", (77, 100)),
        ({"width": 100, "height": 100}, "WEBP", (77, 100)),
        ({"width": 100, "height": 50, "maintainAspectRatio": False}, "WEBP", (100, 50)),
    ],
)
async def test_a_preview_has_the_form_asked_for(
    pluto: Renderer, wanted: dict[str, Any], kind: str, size: tuple[int, int]
) -> None:
    rendering = await make(pluto, "html-pdf", "text", generatePreview=wanted)
    assert rendering.preview is not None
    picture = image(rendering.preview)
    assert (picture.format, picture.size) == (kind, size)


async def test_nothing_is_noted_when_nothing_is_missing(renderer: Renderer) -> None:
    rendering = await make(renderer, "html-pdf", "<h1>Plain, with an ümlaut</h1>", format="a4")
    assert rendering.notes == ()
    assert rendering.engine == renderer.engine_name


async def test_characters_that_no_font_has_are_named(renderer: Renderer) -> None:
    # From a block of the Unicode standard that no font on a machine like this one covers.
    rendering = await make(renderer, "html-pdf", "<p>text \U0001e910")
    assert any("U+1E910" in note for note in rendering.notes)
