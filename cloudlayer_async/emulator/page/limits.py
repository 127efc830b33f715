"""What the engines leave out, in words for people. A job's own log says what of it that job asked for."""

from __future__ import annotations

_PIP_ONLY = (
    "No scripts run: what a page builds with JavaScript is missing.",
    "waitUntil, waitForSelector, waitForFrame and its kin, autoScroll and timeZone have no effect.",
    "CSS grid is stacked.",
    "Gradients, shadows, filters, clip-path, aspect-ratio, animations and calc() with percentages are not known.",
    "Neither are @supports, @layer and @container.",
    "Frames, canvas, video, audio and MathML are not drawn.",
    "viewPort shapes images only; isMobile and hasTouch do nothing.",
)
_ALL = (
    "imageType svg ends the job in error: png, jpg, jpeg and webp can be made.",
    "Nothing is loaded from hosts that were not allowed (--allow-host); data: addresses always work.",
    "DOCX to PDF keeps colours, headers and page breaks where LibreOffice is installed, and not without it.",
    "PDF to DOCX keeps text, headings and pictures, not columns, tables and exact places.",
)


def engine_limits(engine: str) -> tuple[str, ...]:
    """Return what an engine cannot do.

    Args:
        engine: Its name, with or without a version.
    """
    return (*_PIP_ONLY, *_ALL) if engine.lower().startswith("plutoprint") else _ALL
