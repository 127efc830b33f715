"""The feed of what happens in the emulator, for whoever watches: pages, tests, logs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Literal

import attrs

Kind = Literal["job", "asset", "delivery", "fault", "storage", "lost"]

_BACKLOG = 1000


@attrs.frozen
class Event:
    """Something changed; the watcher reads what it needs by id."""

    kind: Kind
    """``lost`` means that this watcher was too slow and has to read everything again."""
    id: str


class Subscription:
    """One watcher's view of the feed; iterate it. It ends when the feed closes."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._wake = asyncio.Event()
        self._closed = False

    def put(self, event: Event) -> None:
        """Add an event; a backlog that grows too long is replaced by one ``lost`` event."""
        if len(self._events) >= _BACKLOG:
            self._events = [Event("lost", "")]
        else:
            self._events.append(event)
        self._wake.set()

    def close(self) -> None:
        """End the iteration once what is there has been taken."""
        self._closed = True
        self._wake.set()

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            await self._wake.wait()
            self._wake.clear()
            events, self._events = self._events, []
            for event in events:
                yield event
            if self._closed:
                return


class EventFeed:
    """Hands each event to every subscription; a slow one holds nobody up."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()
        self._closed = False

    def publish(self, kind: Kind, id_: str) -> None:
        """Tell every watcher that something changed."""
        for subscription in self._subscriptions:
            subscription.put(Event(kind, id_))

    @contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        """Watch from now on, for as long as the block lasts."""
        subscription = Subscription()
        if self._closed:
            subscription.close()
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def close(self) -> None:
        """End every watcher's iteration."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.close()
