"""Time limits for many awaits at once, with one timer for all of them.

A timer for each would be set and taken back again and again and hardly ever ring, which costs more than all else that
a call needs besides its I/O. Here the timer stands at the earliest of the limits that it has seen; when it rings, it goes
on to the next one.
"""

from __future__ import annotations

import asyncio
import math
from types import TracebackType


class Deadlines:
    """The limits that are running in one event loop.

    Args:
        loop: The loop, by whose clock they count.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.running: set[Limit] = set()
        self.rings_at = math.inf
        """When the timer will ring."""
        self._timer: asyncio.TimerHandle | None = None

    def within(self, seconds: float) -> Limit:
        """A limit that ends so many seconds from now; `math.inf` for never."""
        return Limit(self, self.loop.time() + seconds)

    def close(self) -> None:
        """Stops the timer, unless a limit is still running."""
        if not self.running:
            self.set_timer(math.inf)

    def set_timer(self, when: float) -> None:
        """Lets the timer ring at another moment; `math.inf` stops it."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self.rings_at = None, math.inf
        if when < math.inf:
            self.rings_at = when
            self._timer = self.loop.call_at(when, self._ring)

    def _ring(self) -> None:
        now = max(self.rings_at, self.loop.time())  # a loop may ring a little early
        for limit in [limit for limit in self.running if limit.when <= now]:
            self.running.remove(limit)
            limit.expire()
        self.set_timer(min((limit.when for limit in self.running), default=math.inf))


class Limit:
    """One limit, for the body of a `with` block, or of several, one after the other.

    Where it ends within the block, what is awaited there is cancelled, and the block raises TimeoutError.
    """

    __slots__ = ("_cancelling", "_deadlines", "_expired", "_task", "when")

    def __init__(self, deadlines: Deadlines, when: float) -> None:
        self._deadlines = deadlines
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._expired = False
        self.when = when
        """By the loop's clock."""

    def __enter__(self) -> None:
        deadlines = self._deadlines
        task = self._task = asyncio.current_task(deadlines.loop)
        assert task is not None
        self._cancelling = task.cancelling()
        deadlines.running.add(self)
        if self.when < deadlines.rings_at:
            deadlines.set_timer(self.when)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._deadlines.running.discard(self)  # the timer stays: others will need it
        if not self._expired:
            return
        assert self._task is not None
        self._expired = False
        # As asyncio.timeout does it: a cancellation from elsewhere, which came as well, goes on as what it is.
        if self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def expire(self) -> None:
        """Ends the block."""
        assert self._task is not None
        self._expired = True
        self._task.cancel()
