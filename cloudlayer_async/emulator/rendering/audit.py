"""What a document uses that the pip-only engine cannot do. Each entry was tried against plutoprint 0.23."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from selectolax.lexbor import LexborHTMLParser

_CSS = {
    "CSS grid (its items are stacked)": r"display\s*:\s*(inline-)?grid",
    "CSS gradients": r"-gradient\(",
    "box-shadow": r"box-shadow\s*:\s*(?!none)",
    "text-shadow": r"text-shadow\s*:\s*(?!none)",
    "CSS filters": r"[;{\s\"']-?(webkit-|backdrop-)?filter\s*:\s*(?!none)",
    "clip-path": r"clip-path\s*:\s*(?!none)",
    "aspect-ratio": r"aspect-ratio\s*:",
    "CSS animations": r"@(-webkit-)?keyframes",
    "@supports": r"@supports",
    "@layer": r"@layer",
    "@container": r"@container",
    "calc() with percentages": r"calc\([^;{}]*%",
}
_CSS_PATTERNS = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in _CSS.items()}
_ELEMENTS = {
    "frames (iframe)": "iframe, frame, object[data], embed",
    "canvas": "canvas",
    "video and audio": "video, audio",
    "MathML": "math",
}
_NOT_RUN = frozenset({"application/json", "application/ld+json", "text/template", "text/x-template", "importmap"})
_WAITS = (
    "waitUntil",
    "waitForSelector",
    "waitForFrame",
    "waitForFrameAttachment",
    "waitForFrameNavigation",
    "waitForFrameImages",
    "waitForFrameSelector",
    "autoScroll",
    "timeZone",
)


def option_notes(options: Mapping[str, Any], *, is_pdf: bool) -> Iterator[str]:
    """Say which options of a request do nothing without a browser."""
    used = [name for name in _WAITS if options.get(name)]
    viewport = options.get("viewPort") or {}
    if viewport and is_pdf:
        used.append("viewPort (of a PDF)")
    used.extend(f"viewPort.{name}" for name in ("isMobile", "hasTouch") if viewport.get(name))
    if used:
        yield f"Without effect in this engine, which runs no scripts: {', '.join(used)}"


def document_notes(source: str) -> Iterator[str]:
    """Say what a document uses that will not be seen."""
    tree = LexborHTMLParser(source)
    scripts = [node for node in tree.css("script") if (node.attributes.get("type") or "").lower() not in _NOT_RUN]
    handlers = tree.css_first("[onload], [onclick], [onerror]")
    if scripts or handlers is not None:
        yield "The document has scripts, and this engine runs none"
    missing = [name for name, selector in _ELEMENTS.items() if tree.css_first(selector) is not None]
    if missing:
        yield f"Not drawn by this engine: {', '.join(missing)}"
    sheets = [node.text() for node in tree.css("style")]
    sheets += [f"{{{node.attributes.get('style') or ''}}}" for node in tree.css("[style]")]
    yield from style_notes("\n".join(sheets))


def style_notes(sheet: str) -> Iterator[str]:
    """Say what a style sheet uses that this engine does not know."""
    unknown = [name for name, pattern in _CSS_PATTERNS.items() if pattern.search(sheet)]
    if unknown:
        yield f"Not known to this engine: {', '.join(unknown)}"
    if re.search(r"color-adjust\s*:\s*exact", sheet, re.IGNORECASE):
        yield "print-color-adjust is not known to this engine: printBackground decides for the whole document"


def text_of(source: str) -> str:
    """Return the text a document shows, roughly: without scripts and style sheets."""
    tree = LexborHTMLParser(source)
    for node in tree.css("script, style, template, noscript, head"):
        node.decompose()
    body = tree.body
    return body.text(separator=" ") if body is not None else ""


def title_of(source: str) -> str:
    """Return a document's title, or an empty text."""
    node = LexborHTMLParser(source).css_first("title")
    return " ".join(node.text().split()) if node is not None else ""
