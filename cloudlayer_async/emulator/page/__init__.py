"""The page at ``/``: what the emulator does, as it happens, for whoever looks with a browser."""

from __future__ import annotations

from .serving import routes

__all__ = ["routes"]
