"""How many conversions may be under way: additive increase, multiplicative decrease."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress


class Slots:
    """Places for conversions under way, fewer after a refusal, slowly more again with each acceptance.

    The rule is TCP's: a refusal halves the number of places, once for all conversions that were sent before it; a full round
    of acceptances adds one, up to the maximum. Whoever waits is served in order; a conversion that was refused comes first.

    Args:
        most: The maximum, and the number to begin with.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(most)
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.in_use = 0
        self.era = 0
        """Counts decreases, so that one pause halves once: see `refused`."""

    @property
    def limit(self) -> int:
        """How many places there are now."""
        return int(self._limit)

    async def acquire(self) -> None:
        """Waits for a place."""
        if self.in_use < self.limit and not self._waiting:
            self.in_use += 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        await self._wait(place)

    async def requeue(self) -> None:
        """Gives a place back and waits for one again, before all others."""
        self.in_use -= 1
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.appendleft(place)
        self._serve()
        await self._wait(place)

    async def _wait(self, place: asyncio.Future[None]) -> None:
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.release()
            else:
                with suppress(ValueError):  # passed over already
                    self._waiting.remove(place)
            raise

    def release(self) -> None:
        """Gives a place back."""
        self.in_use -= 1
        self._serve()

    def accepted(self) -> None:
        """A conversion was accepted."""
        if self._limit < self._most:
            self._limit = min(self._most, self._limit + 1 / self._limit)
            self._serve()

    def refused(self, era: int) -> None:
        """A conversion was refused that was sent in this `era`."""
        if era == self.era:
            self.era += 1
            self._limit = max(1.0, self._limit / 2)

    def _serve(self) -> None:
        while self._waiting and self.in_use < self.limit:
            place = self._waiting.popleft()
            if not place.done():
                self.in_use += 1
                place.set_result(None)
