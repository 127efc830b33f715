"""Paper, margins, viewport and page ranges, worked out from a request's options. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from .model import RenderError

POINTS_PER_PIXEL = 0.75
DEFAULT_VIEWPORT = (800, 600)
"""The browser's own default, in CSS pixels; the service states none."""

_POINTS = {"px": POINTS_PER_PIXEL, "in": 72.0, "cm": 72 / 2.54, "mm": 72 / 25.4}
_LENGTH = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)\s*", re.IGNORECASE)
_RANGE = re.compile(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?")
_INCHES = {
    "letter": (8.5, 11),
    "legal": (8.5, 14),
    "tabloid": (11, 17),
    "ledger": (17, 11),
    "a0": (33.1, 46.8),
    "a1": (23.4, 33.11),
    "a2": (16.54, 23.4),
    "a3": (11.7, 16.54),
    "a4": (8.27, 11.7),
    "a5": (5.83, 8.27),
    "a6": (4.13, 5.83),
}
_MARGINS = {"top": "0.4in", "right": "0.39in", "bottom": "0.39in", "left": "0.4in"}


@attrs.frozen(kw_only=True)
class Paper:
    """A page of a PDF, in points (1/72 inch)."""

    width: float
    height: float
    top: float
    right: float
    bottom: float
    left: float
    scale: float
    """How much larger than its CSS size everything is drawn."""
    css_size_wins: bool
    """Whether the document's own ``@page`` size is taken instead of this one."""


@attrs.frozen(kw_only=True)
class Viewport:
    """The window an image is taken of, in CSS pixels."""

    width: int
    height: int
    ratio: float
    """Device pixels for each CSS pixel."""


def points(value: object, name: str) -> float:
    """Read a length: a number is pixels, a text has a unit (px, in, cm, mm) or is pixels too.

    Raises:
        RenderError: It is no length; names the option.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value >= 0:
            return value * POINTS_PER_PIXEL
    elif isinstance(value, str) and (match := _LENGTH.fullmatch(value)):
        factor = _POINTS.get(match[2].lower() or "px")
        if factor is not None:
            return float(match[1]) * factor
    raise RenderError(f"{name} is not a length: {value!r}")


def paper(options: Mapping[str, Any], *, is_template: bool) -> Paper:
    """Work out the page of a PDF. A format beats width and height; the default is letter.

    Args:
        options: The request's options under their wire names.
        is_template: Template conversions have no margin unless one is given.

    Raises:
        RenderError: A length cannot be read, or the margins leave no room.
    """
    inches = _INCHES[str(options.get("format") or "letter").lower()]
    width, height = inches[0] * 72, inches[1] * 72
    if not options.get("format"):
        width = _given(options, "width", width)
        height = _given(options, "height", height)
    if options.get("landscape"):
        width, height = height, width
    wanted = options.get("margin") or {}
    margins = {
        side: points(wanted.get(side, 0 if is_template else default), f"margin.{side}")
        for side, default in _MARGINS.items()
    }
    if margins["left"] + margins["right"] >= width or margins["top"] + margins["bottom"] >= height:
        raise RenderError("The margins leave no room on the page")
    return Paper(
        width=width,
        height=height,
        scale=float(options.get("scale") or 1),
        css_size_wins=bool(options.get("preferCSSPageSize")),
        **margins,
    )


def viewport(options: Mapping[str, Any]) -> Viewport:
    """Work out the window of an image: ``viewPort``, else ``width`` and ``height``, else 800 x 600.

    Raises:
        RenderError: A length cannot be read.
    """
    given = options.get("viewPort")
    if given:
        width, height = int(given["width"]), int(given["height"])
        if given.get("isLandscape") and height > width:
            width, height = height, width
        return Viewport(width=width, height=height, ratio=float(given.get("deviceScaleFactor") or 1))
    width, height = (
        max(1, round(_given(options, name, default * POINTS_PER_PIXEL) / POINTS_PER_PIXEL))
        for name, default in zip(("width", "height"), DEFAULT_VIEWPORT, strict=True)
    )
    return Viewport(width=width, height=height, ratio=1.0)


def page_indices(ranges: str | None, count: int) -> list[int]:
    """Return the wanted pages as indices from 0, in order and once each.

    Raises:
        RenderError: A range is malformed, or begins after the last page.
    """
    if not (ranges or "").strip():
        return list(range(count))
    wanted: set[int] = set()
    for part in (ranges or "").split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            raise RenderError(f"Page range is invalid: {part.strip()!r}")
        first, last = int(match[1]), int(match[2] or match[1])
        if first < 1 or first > last:
            raise RenderError("Page range is invalid (start > end)" if first else "Page range is invalid")
        if first > count:
            raise RenderError("Page range exceeds page count")
        wanted.update(range(first - 1, min(last, count)))
    return sorted(wanted)


def _given(options: Mapping[str, Any], name: str, default: float) -> float:
    value = options.get(name)
    if value is None or value == "":
        return default
    length = points(value, name)
    if length <= 0:
        raise RenderError(f"{name} must be more than nothing")
    return length
