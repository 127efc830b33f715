"""The newest products that were kept nowhere else, so that they can still be looked at. In memory, within a limit."""

from __future__ import annotations

from .rendering.model import Rendering

_MOST_BYTES = 32 * 1024**2


class RecentProducts:
    """Products of jobs without an asset here. The oldest go first; one beyond the limit is not taken."""

    def __init__(self, max_bytes: int = _MOST_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._products: dict[str, Rendering] = {}

    def add(self, job_id: str, rendering: Rendering) -> None:
        """Remember a job's product."""
        size = _size(rendering)
        if size > self._max_bytes:
            return
        self._products[job_id] = rendering
        self._bytes += size
        while self._bytes > self._max_bytes:
            self._bytes -= _size(self._products.pop(next(iter(self._products))))

    def get(self, job_id: str) -> Rendering | None:
        """Return a job's product, or None when it was kept elsewhere or is gone."""
        return self._products.get(job_id)


def _size(rendering: Rendering) -> int:
    return len(rendering.content) + len(rendering.preview or b"")
