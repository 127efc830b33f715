"""What the server asks of a renderer and what it gets back. No I/O here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class RenderSpec:
    """One conversion, already validated by the server."""

    conversion: str
    """Job type: ``html-pdf``, ``url-image``, ``template-pdf``, ``docx-pdf``, ``merge-pdf``, ..."""
    options: Mapping[str, Any] = attrs.field(factory=dict)
    """The request's options under their wire names, with their wire values (contract sections 4.1 to 4.7)."""
    html: str | None = None
    """The page itself, for html conversions."""
    urls: tuple[str, ...] = ()
    """The addresses to render or merge, for url conversions and merge; more than one gives one merged PDF."""
    template: str | None = None
    """The template's own source, for template conversions."""
    data: Mapping[str, Any] = attrs.field(factory=dict)
    """The template's variables."""
    upload: bytes | None = None
    """The uploaded document, for docx and pdf inputs."""


@attrs.frozen(kw_only=True)
class Rendering:
    """A finished product."""

    content: bytes
    content_type: str
    extension: str
    """Without a dot."""
    preview: bytes | None = None
    preview_content_type: str | None = None
    preview_extension: str | None = None
    notes: tuple[str, ...] = ()
    """What the engine could not honour, missing glyphs, refused resources: shown in the job's log, never hidden."""
    engine: str = ""
    """Name and version of the engine that made it."""


class RenderError(Exception):
    """The conversion cannot be done; the message becomes the job's ``error``."""
