"""How many conversions may be under way: additive increase, multiplicative decrease."""

from __future__ import annotations

import asyncio

from ..gate import Gate


class Slots(Gate):
    """Places for conversions under way, fewer after a refusal, slowly more again with each acceptance.

    The rule is TCP's: a refusal halves the number of places, once for all conversions that were sent before it; a full round
    of acceptances adds one, up to the maximum. Whoever waits is served in order; a conversion that was refused comes first.

    Args:
        most: The maximum, and the number to begin with.
    """

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self._most = most
        self.era = 0
        """Counts decreases, so that one pause halves once: see `refused`."""

    async def requeue(self) -> None:
        """Gives a place back and waits for one again, before all others."""
        self.in_use -= 1
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.appendleft(place)
        self._serve()
        await self._wait(place)

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
