"""The rate limit of each key: so many requests a minute. Pure; the clock is an argument."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import attrs

_WINDOW = 60.0


@attrs.frozen
class Allowance:
    """What a key may still do."""

    limit: int
    remaining: int
    reset_in: int
    """Seconds until the count starts anew."""
    refused: bool


class RateLimiter:
    """Counts requests in fixed windows of a minute."""

    def __init__(self, limit: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._windows: dict[str, tuple[float, int]] = {}

    def take(self, key: str) -> Allowance | None:
        """Count one request; None when there is no limit."""
        if self._limit is None:
            return None
        now = self._clock()
        started, used = self._windows.get(key, (now, 0))
        if now - started >= _WINDOW:
            started, used = now, 0
        refused = used >= self._limit
        used += not refused
        self._windows[key] = (started, used)
        return Allowance(self._limit, self._limit - used, max(1, math.ceil(started + _WINDOW - now)), refused)
