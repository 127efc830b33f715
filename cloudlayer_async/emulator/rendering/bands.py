"""Header and footer templates: what stands in a page's margin. Works on HTML text; draws nothing."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any, Literal

import attrs
from selectolax.lexbor import LexborHTMLParser, SelectolaxError

from .geometry import points
from .model import RenderError

Place = Literal["header", "footer"]
OPTION: Mapping[Place, str] = {"header": "headerTemplate", "footer": "footerTemplate"}
_EDGE = "20px"
_SLACK = 0.5
"""Points; a section as high as its page may be rounded to more, and fall into two."""
# Chromium lays a band out as a flex item, which would be no wider than its text.
_STYLE = "flex:auto;font-size:10px;"


@attrs.frozen(kw_only=True)
class Bands:
    """The HTML of both bands; None where there is none."""

    header: str | None = None
    footer: str | None = None

    def __bool__(self) -> bool:
        return self.header is not None or self.footer is not None


def selectors(options: Mapping[str, Any]) -> dict[Place, str]:
    """Return the bands that are to be taken out of the document, with their CSS selectors.

    Raises:
        RenderError: ``extract`` without a selector.
    """
    wanted: dict[Place, str] = {}
    for place, name in OPTION.items():
        band = options.get(name) or {}
        if band.get("method") == "extract":
            if not band.get("selector"):
                raise RenderError(f"{name} with method extract needs a selector")
            wanted[place] = band["selector"]
    return wanted


def extract(source: str, wanted: Mapping[Place, str]) -> tuple[str, dict[Place, str]]:
    """Take elements out of a document.

    Args:
        source: The document.
        wanted: What to take, as `selectors` returns it.

    Returns:
        The document without them, and each one's HTML led by the document's style sheets.

    Raises:
        RenderError: A selector cannot be read or fits nothing.
    """
    if not wanted:
        return source, {}
    tree = LexborHTMLParser(source)
    styles = "".join(node.html or "" for node in tree.css("style"))
    taken: dict[Place, str] = {}
    for place, selector in wanted.items():
        try:
            node = tree.css_first(selector)
        except SelectolaxError as error:
            raise RenderError(f"{OPTION[place]}.selector cannot be read: {selector!r}") from error
        if node is None:
            raise RenderError(f"{OPTION[place]}.selector fits nothing in the document: {selector!r}")
        taken[place] = styles + (node.html or "")
        node.decompose()
    return tree.html or "", taken


def build(options: Mapping[str, Any], extracted: Mapping[Place, str]) -> Bands:
    """Put the bands together from the options and what was extracted.

    Raises:
        RenderError: A margin cannot be read.
    """
    return Bands(header=_band(options, "header", extracted), footer=_band(options, "footer", extracted))


def _band(options: Mapping[str, Any], place: Place, extracted: Mapping[Place, str]) -> str | None:
    band = options.get(OPTION[place]) or {}
    content = extracted.get(place) or band.get("template") or band.get("templateString")
    if not content:
        return None
    margin = "".join(
        f"margin-{side}:{points(value, f'{OPTION[place]}.margin.{side}')}pt;"
        for side, value in (band.get("margin") or {}).items()
        if side in ("top", "right", "bottom", "left")
    )
    style = html.escape(_STYLE + margin + declarations(band.get("style")), quote=True)
    images = declarations(band.get("imageStyle"))
    rule = f"<style>.cl-{place} img{{{images}}}</style>" if images else ""
    return f'{rule}<div class="cl-{place}" style="{style}">{content}</div>'


def declarations(style: object) -> str:
    """Write a mapping of CSS names to values as declarations; what could end the declaration is left out."""
    if not isinstance(style, Mapping):
        return ""
    return "".join(
        f"{name}:{value};"
        for name, value in style.items()
        if not any(character in "{};<>" for character in f"{name}{value}")
    )


def overlay(bands: Bands, sizes: list[tuple[float, float]], *, title: str, url: str, date: str) -> str:
    """Return a document with a page for each of a PDF's pages, holding only that page's bands.

    Args:
        bands: What to show. Elements with the classes ``pageNumber totalPages title url date`` are filled in.
        sizes: Width and height of each page, in points.
        title: The document's title.
        url: Where the document is from.
        date: Now, as it is to be shown.
    """
    common = {"totalPages": str(len(sizes)), "title": title, "url": url, "date": date}
    contents = [(place, _filled(content, common)) for place, content in _both(bands)]
    pages = []
    for number, (width, height) in enumerate(sizes, 1):
        boxes = "".join(
            f'<div class="{place}-box">{content.replace(_NUMBER, str(number))}</div>'
            for place, (_, content) in contents
        )
        pages.append(f'<section style="width:{width}pt;height:{height - _SLACK}pt">{boxes}</section>')
    styles = "".join(style for _, (style, _) in contents)
    return (
        "<!DOCTYPE html><style>body{margin:0}"
        "section{position:relative;overflow:hidden;break-after:page}section:last-child{break-after:auto}"
        f".header-box{{position:absolute;left:0;right:0;top:{_EDGE}}}"
        f".footer-box{{position:absolute;left:0;right:0;bottom:{_EDGE}}}"
        f"</style>{styles}{''.join(pages)}"
    )


_NUMBER = "\ue000pageNumber\ue000"


def _both(bands: Bands) -> list[tuple[Place, str]]:
    both: list[tuple[Place, str | None]] = [("header", bands.header), ("footer", bands.footer)]
    return [(place, content) for place, content in both if content is not None]


def _filled(content: str, values: Mapping[str, str]) -> tuple[str, str]:
    """Fill the classes in; return style sheets (said once for all pages) and the rest."""
    tree = LexborHTMLParser(f"<body>{content}</body>")
    for name, value in {**values, "pageNumber": _NUMBER}.items():
        for node in tree.css(f".{name}"):
            node.inner_html = html.escape(value)
    styles = []
    for node in tree.css("style"):
        styles.append(node.html or "")
        node.decompose()
    for node in tree.css("script"):
        node.decompose()
    body = tree.body
    return "".join(styles), (body.inner_html or "") if body is not None else ""
