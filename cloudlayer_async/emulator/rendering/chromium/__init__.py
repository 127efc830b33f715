"""The real engine: Chromium, spoken to through its DevTools protocol."""

from .engine import ChromiumEngine

__all__ = ["ChromiumEngine"]
