"""Word documents: to HTML, and from the text of a PDF. Runs in a worker process."""

from __future__ import annotations

import ctypes
import html
import io
import itertools
import math
import re
import statistics
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

import attrs
import docx
import mammoth
import pypdfium2
import pypdfium2.raw as pdfium
from docx.shared import Inches, Pt

from . import pdfs
from .model import RenderError

_DOCUMENT = """<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font-family: serif; }}
table {{ border-collapse: collapse; }}
td, th {{ border: 1px solid #999; padding: 2pt 6pt; vertical-align: top; }}
img {{ max-width: 100%; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""
_STYLES = """
p[style-name='Title'] => h1.title:fresh
p[style-name='Subtitle'] => p.subtitle:fresh
"""
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_BOLD = 600
_HEADING = 1.25
"""How much larger than the document's usual text a heading is."""
_RUN = re.compile(r"[^\s\0][^\r\n\0]*")
"""What PDFium has between two breaks of a line."""
_WORD_GAP = 0.12
"""A gap that is a space, in heights of the font."""
_PARAGRAPH_GAP = 1.6
"""A step from line to line that ends a paragraph, in heights of the line."""


def check(document: bytes) -> None:
    """See to it that a DOCX is one: LibreOffice takes anything, and prints what it cannot read as text.

    Raises:
        RenderError: It is none.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(document)) as archive:
            archive.getinfo("word/document.xml")
    except (zipfile.BadZipFile, KeyError) as error:
        raise RenderError(f"The document cannot be read as a DOCX: {error}") from error


def to_html(document: bytes) -> tuple[str, list[str]]:
    """Turn a DOCX into a whole HTML document.

    Returns:
        The document, and what could not be carried over.

    Raises:
        RenderError: It is no DOCX.
    """
    check(document)
    try:
        result = mammoth.convert_to_html(io.BytesIO(document), style_map=_STYLES)
        title = docx.Document(io.BytesIO(document)).core_properties.title or ""
    except RecursionError:
        raise
    except Exception as error:  # Both libraries let whatever a broken archive causes through.
        raise RenderError(f"The document cannot be read as a DOCX: {error}") from error
    notes = sorted({f"DOCX: {message.message}" for message in result.messages})
    return _DOCUMENT.format(title=html.escape(title), body=result.value), notes


@attrs.define
class _Line:
    """A line of text and where it stands; points, from the lower left corner of the page."""

    text: str
    left: float
    right: float
    bottom: float
    top: float
    size: float
    bold: bool

    @property
    def height(self) -> float:
        return max(self.top - self.bottom, 1.0)


@attrs.define
class _Paragraph:
    lines: list[_Line]

    @property
    def text(self) -> str:
        text = ""
        for line in self.lines:
            joined = text.removesuffix("\xad") if text.endswith("\xad") else f"{text} " if text else ""
            text = joined + line.text
        return text


def from_pdf(document: bytes) -> tuple[bytes, list[str]]:
    """Put the text and the pictures of a PDF into a DOCX: paragraphs in reading order, headings by their size.

    Returns:
        The document, and what could not be carried over.

    Raises:
        RenderError: It is no PDF, or needs a password.
    """
    notes = ["PDF to DOCX keeps text, headings by size and pictures; columns, tables and exact places are lost"]
    word = docx.Document()
    with pdfs.open_pdf("The document", document) as source:
        pages = [list(_paragraphs(page)) for page in source]
        sizes = [line.size for page in pages for paragraph in page for line in paragraph.lines]
        usual = statistics.median(sizes) if sizes else 11.0
        for index, paragraphs in enumerate(pages):
            _page_setup(word, source[index], is_first=index == 0)
            for paragraph in paragraphs:
                _write(word, paragraph, usual)
            for picture in _pictures(source[index]):
                word.add_picture(io.BytesIO(picture[0]), width=Inches(min(picture[1] / 72, 6)))
    if not sizes:
        notes.append("The PDF has no text that could be read: a scan needs character recognition first")
    stream = io.BytesIO()
    word.save(stream)
    return stream.getvalue(), notes


def _page_setup(word: Any, page: pypdfium2.PdfPage, *, is_first: bool) -> None:
    section = word.sections[0] if is_first else word.add_section()
    section.page_width, section.page_height = (Pt(round(side)) for side in page.get_size())


def _write(word: Any, paragraph: _Paragraph, usual: float) -> None:
    size = max(line.size for line in paragraph.lines)
    text = _UNPRINTABLE.sub("", paragraph.text)
    if size >= usual * _HEADING and len(text) < 200:
        word.add_heading(text, level=1 if size >= usual * 1.8 else 2)
        return
    run = word.add_paragraph().add_run(text)
    run.bold = all(line.bold for line in paragraph.lines) or None
    run.font.size = Pt(round(size * 2) / 2)


def _paragraphs(page: pypdfium2.PdfPage) -> Iterator[_Paragraph]:
    current: list[_Line] = []
    for line in _lines(page):
        if current:
            last = current[-1]
            step = last.bottom - line.bottom
            same = abs(line.size - last.size) < 1 and line.bold == last.bold
            if not (same and 0 < step <= _PARAGRAPH_GAP * max(last.size, line.size)):
                yield _Paragraph(current)
                current = []
        current.append(line)
    if current:
        yield _Paragraph(current)


def _lines(page: pypdfium2.PdfPage) -> list[_Line]:
    """Join the pieces of text a page is made of into lines, from the top down."""
    text = page.get_textpage()
    lines: list[list[_Line]] = []
    for piece in sorted(_pieces(text), key=lambda piece: -piece.bottom):
        if lines and abs(lines[-1][0].bottom - piece.bottom) < 0.5 * piece.height:
            lines[-1].append(piece)
        else:
            lines.append([piece])
    return [_joined(sorted(pieces, key=lambda piece: piece.left)) for pieces in lines]


def _pieces(text: pypdfium2.PdfTextPage) -> Iterator[_Line]:
    # PDFium's own text: it has found the spaces, which boxes of glyphs do not tell (kerning, ligatures, spacing).
    characters = "".join(chr(pdfium.FPDFText_GetUnicode(text, index)) for index in range(text.count_chars()))
    for run in _RUN.finditer(characters):
        content = run[0].rstrip()
        first, last = run.start(), run.start() + len(content) - 1
        size, bold = _font(text, first)
        # The loose box reaches as high and low as the font does, so it is the same all along a line.
        left, foot, _, head = text.get_charbox(first, loose=True)
        _, _, right, _ = text.get_charbox(last, loose=True)
        yield _Line(re.sub(r"\s+", " ", content), left, right, foot, head, size or head - foot, bold)


def _font(text: pypdfium2.PdfTextPage, index: int) -> tuple[float, bool]:
    """Return a character's size as drawn, in points, and whether it is bold."""
    matrix = pdfium.FS_MATRIX()
    pdfium.FPDFText_GetMatrix(text, index, matrix)
    size = pdfium.FPDFText_GetFontSize(text, index) * math.hypot(matrix.c, matrix.d)
    name = ctypes.create_string_buffer(128)
    pdfium.FPDFText_GetFontInfo(text, index, name, len(name), None)
    bold = b"bold" in name.value.lower() or pdfium.FPDFText_GetFontWeight(text, index) >= _BOLD
    return size, bold


def _joined(pieces: Sequence[_Line]) -> _Line:
    text = pieces[0].text
    for before, piece in itertools.pairwise(pieces):
        # Pieces may meet in the middle of a word, where a style changes for instance.
        text += (" " if piece.left - before.right > _WORD_GAP * piece.size else "") + piece.text
    return _Line(
        " ".join(text.split()),
        pieces[0].left,
        pieces[-1].right,
        min(piece.bottom for piece in pieces),
        max(piece.top for piece in pieces),
        max(piece.size for piece in pieces),
        all(piece.bold for piece in pieces),
    )


def _pictures(page: pypdfium2.PdfPage) -> Iterator[tuple[bytes, float]]:
    """Give each picture as PNG, with its width in points."""
    for item in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE]):
        left, _, right, _ = item.get_bounds()
        assert isinstance(item, pypdfium2.PdfImage)
        try:
            picture = item.get_bitmap().to_pil()
        except pypdfium2.PdfiumError:
            continue
        stream = io.BytesIO()
        picture.save(stream, "PNG")
        yield stream.getvalue(), right - left
