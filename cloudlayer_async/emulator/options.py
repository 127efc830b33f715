"""Every option of a conversion: its group and the values it takes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .checks import (
    Check,
    boolean,
    boolean_or,
    filled,
    hook,
    integer,
    length,
    list_of,
    number,
    one_of,
    pattern,
    record,
    refuse,
    text,
)
from .dialects import Dialect
from .endpoints import Group

TEXT_OPTIONS = frozenset(
    {
        "name",
        "filename",
        "webhook",
        "projectId",
        "apiVer",
        "waitUntil",
        "waitForFrameNavigation",
        "pageRanges",
        "timeZone",
        "emulateMediaType",
        "format",
        "imageType",
        "url",
        "html",
        "template",
        "templateId",
    }
)
"""Options that are text whatever they look like; a form's other fields are read as JSON where they can be."""

MAX_BATCH = 20


def _not_both(value: Any, field: str) -> None:
    options = value.get("options") or {}
    if options.get("visible") and options.get("hidden"):
        raise refuse(f"{field}.options cannot be both visible and hidden", f"{field}.options")


def _some_size(value: Any, field: str) -> None:
    if value.get("width") is None and value.get("height") is None:
        raise refuse(f"{field} needs width or height", field)


_WAIT_WORDS = one_of("load", "domcontentloaded", "networkidle0", "networkidle2")
_SELECTOR = record(
    {"selector": filled},
    {"options": record(None, {"visible": boolean, "hidden": boolean, "timeout": integer(0)})},
    _not_both,
)
_MARGIN = record(None, dict.fromkeys(("top", "bottom", "left", "right"), length))
_PIXELS = integer(1)
_RANGE = r"\s*\d+(\s*-\s*\d+)?\s*"

_BASE: Mapping[str, Check] = {
    "name": text,
    "timeout": integer(1000),
    "delay": integer(0),
    "filename": text,
    "inline": boolean,
    "async": boolean,
    "storage": boolean_or(record({"id": filled})),
    "webhook": hook,
    "projectId": text,
    "apiVer": text,
}

_BROWSER: Mapping[str, Check] = {
    "waitUntil": _WAIT_WORDS,
    "waitForSelector": _SELECTOR,
    "waitForFrame": boolean,
    "waitForFrameAttachment": boolean,
    "waitForFrameNavigation": _WAIT_WORDS,
    "waitForFrameImages": boolean,
    "waitForFrameSelector": _SELECTOR,
    "preferCSSPageSize": boolean,
    "scale": number(0.1, 2),
    "width": length,
    "height": length,
    "landscape": boolean,
    "pageRanges": pattern(f"({_RANGE}(,{_RANGE})*)?", "page ranges such as 1-5, 8"),
    "autoScroll": boolean,
    "viewPort": record(
        {"width": _PIXELS, "height": _PIXELS},
        {"deviceScaleFactor": number(0), "isMobile": boolean, "hasTouch": boolean, "isLandscape": boolean},
    ),
    "timeZone": filled,
    "emulateMediaType": one_of("screen", "print"),
}

_URL: Mapping[str, Check] = {
    "authentication": record({"username": text, "password": text}),
    "cookies": list_of(
        record(
            {"name": filled, "value": text},
            {
                "url": text,
                "domain": text,
                "path": text,
                "expires": integer(),
                "httpOnly": boolean,
                "secure": boolean,
                "sameSite": one_of("Strict", "Lax"),
            },
        )
    ),
}


def option_checks(dialect: Dialect) -> Mapping[Group, Mapping[str, Check]]:
    """Return the check of every option, by group, as the dialect has them."""
    quality = {"quality": integer(0, 100)}
    preview = boolean_or(
        record(
            quality if dialect.preview_quality_required else None,
            {
                "width": _PIXELS,
                "height": _PIXELS,
                "type": one_of(*sorted(dialect.image_types)),
                "maintainAspectRatio": boolean,
                **({} if dialect.preview_quality_required else quality),
            },
            _some_size,
        )
    )
    band = record(
        None,
        {
            "method": one_of(*sorted(dialect.header_methods)),
            "selector": text,
            "template": text,
            "templateString": text,
            "margin": _MARGIN,
            "style": record(),
            "imageStyle": record(),
        },
    )
    return {
        "base": {**_BASE, "generatePreview": preview},
        "browser": _BROWSER,
        "pdf": {
            "format": one_of("letter", "legal", "tabloid", "ledger", "a0", "a1", "a2", "a3", "a4", "a5", "a6"),
            "margin": _MARGIN,
            "printBackground": boolean,
            "headerTemplate": band,
            "footerTemplate": band,
        },
        "image": {
            "imageType": one_of(*sorted(dialect.image_types)),
            "quality": integer(0, 100),
            "transparent": boolean,
            "trim": boolean,
        },
        "url": _URL,
    }
