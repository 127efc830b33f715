"""A number of places, given out in the order in which they were asked for."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress


class Gate:
    """Lets so many in at one time. Unlike asyncio's semaphore it costs no coroutine when a place is free: see `take`.

    Args:
        most: How many.
    """

    def __init__(self, most: int) -> None:
        self._limit = float(most)
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.in_use = 0

    @property
    def limit(self) -> int:
        """How many places there are now."""
        return int(self._limit)

    def take(self) -> bool:
        """Takes a place if one is free and nobody waits for it; whoever gets False awaits `acquire`."""
        if self._waiting or self.in_use + 1 > self._limit:
            return False
        self.in_use += 1
        return True

    async def acquire(self) -> None:
        """Waits for a place."""
        if not self.take():
            place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(place)
            await self._wait(place)

    def release(self) -> None:
        """Gives a place back."""
        self.in_use -= 1
        if self._waiting:
            self._serve()

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

    def _serve(self) -> None:
        while self._waiting and self.in_use + 1 <= self._limit:
            place = self._waiting.popleft()
            if not place.done():
                self.in_use += 1
                place.set_result(None)
