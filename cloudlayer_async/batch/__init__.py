"""Many conversions at once: bounded, resumable, never paid twice."""

from __future__ import annotations

from .display import show_progress
from .manifest import read_manifest, write_manifest
from .outcome import Outcome
from .pipeline import AsyncBatch
from .progress import BatchProgress
from .report import BatchItem, BatchReport

__all__ = [
    "AsyncBatch",
    "BatchItem",
    "BatchProgress",
    "BatchReport",
    "Outcome",
    "read_manifest",
    "show_progress",
    "write_manifest",
]
