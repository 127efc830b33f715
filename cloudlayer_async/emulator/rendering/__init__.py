"""Real documents: HTML, addresses, templates and office files to PDF, pictures and back.

Importing this package is cheap: engines are loaded when a `Renderer` is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .model import RenderError, Rendering, RenderSpec

if TYPE_CHECKING:
    from .renderer import Renderer

__all__ = ["RenderError", "RenderSpec", "Renderer", "Rendering"]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name == "Renderer":
            from .renderer import Renderer

            return Renderer
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
