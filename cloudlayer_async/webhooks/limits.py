"""Bounds on what strangers can make a receiver do."""

from __future__ import annotations

import asyncio
import math
import time

import attrs

from ..errors import ConfigError
from ..redaction import shown


def _positive(instance: object, field: attrs.Attribute[float], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise ConfigError(f"UnknownJobs.{field.name} must be a number above zero, not {shown(value)}")


def _count(instance: object, field: attrs.Attribute[int], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"UnknownJobs.{field.name} must be an int of at least 1, not {shown(value)}")


@attrs.frozen(kw_only=True)
class UnknownJobs:
    """How many webhooks of jobs that this client does not know are looked into.

    They may be of jobs that another process submitted, or made up by a stranger: each costs a read of the API to find out.

    Args:
        rate: Reads a second, in the long run.
        burst: Reads that may be made at once after a time without any.
        queue: Webhooks that wait for their read; more are answered with 503.

    Raises:
        ConfigError: A value is not a number above zero, or a count not an int of at least 1.
    """

    rate: float = attrs.field(default=5.0, validator=_positive)
    burst: int = attrs.field(default=50, validator=_count)
    queue: int = attrs.field(default=500, validator=_count)


class TokenBucket:
    """Lets `burst` through at once and `rate` a second in the long run, first come first served."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._counted_at = time.monotonic()
        self._turnstile = asyncio.Lock()

    def take_at_once(self) -> bool:
        """Takes a token if there is one and nobody waits for it."""
        if self._turnstile.locked() or self._filled() < 1:
            return False
        self._tokens -= 1
        return True

    async def take(self) -> None:
        """Waits for a token. Who is cancelled leaves the queue and takes none."""
        async with self._turnstile:
            if (missing := 1 - self._filled()) > 0:
                await asyncio.sleep(missing / self._rate)
                self._filled()
            self._tokens -= 1

    def _filled(self) -> float:
        now = time.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._counted_at) * self._rate)
        self._counted_at = now
        return self._tokens
