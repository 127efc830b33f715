"""File names out of Content-Disposition headers (RFC 6266, with the extended values of RFC 8187). Pure."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

_PARAMETER: Final = re.compile(
    r""";\s*(?P<name>[!#$%&'*+\-.^_`|~\w]+)\s*=\s*(?:"(?P<quoted>(?:\\.|[^"\\])*)"|(?P<plain>[^;]*))""",
    re.ASCII | re.DOTALL,
)
_EXTENDED: Final = re.compile(r"(?P<charset>[\w-]+)'[^']*'(?P<value>.*)", re.ASCII | re.DOTALL)
_CHARSETS: Final = ("utf-8", "iso-8859-1")
"""Those that RFC 8187 and its forerunner name. Not whatever Python knows: some of its codecs interpret escapes."""


def disposition_filename(value: str | None) -> str | None:
    """The file name that a Content-Disposition header carries, as sent: it must still be made safe.

    `filename*` wins over `filename` (RFC 6266 section 4.3); the first of each counts. A form that cannot be decoded is
    passed over, as browsers do.
    """
    if not value:
        return None
    plain: str | None = None
    extended: str | None = None
    # The type may be missing (`filename=x`); a leading separator lets one pattern find every parameter.
    for match in _PARAMETER.finditer(";" + value):
        name = match["name"].lower()
        quoted = match["quoted"]
        text = match["plain"].strip(' \t"') if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        if name == "filename" and plain is None:
            plain = _from_latin(text)
        elif name == "filename*" and extended is None:
            extended = _decoded(text)
    return extended or plain or None


def _decoded(value: str) -> str | None:
    match = _EXTENDED.fullmatch(value)
    if match is None or match["charset"].lower() not in _CHARSETS:
        return None
    try:
        return unquote_to_bytes(match["value"]).decode(match["charset"])
    except ValueError:
        return None


def _from_latin(text: str) -> str:
    """Undoes the guess of an HTTP parser: bytes that were not UTF-8 arrive as surrogates and mean ISO 8859-1."""
    if text.isascii():
        return text
    try:
        raw = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
